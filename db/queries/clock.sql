-- name: now()$
SELECT balansity.now();
