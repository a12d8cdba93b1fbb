-- The pace of mail: the line in which all workers wait, one a provider.

-- name: take_places(provider, places, spacing, patience)$
-- Take the next places in the provider's line; gives how long to wait for the first, more than `patience` if none was taken.
SELECT balansity.take_places(:provider, :places, :spacing, :patience);

-- name: hold(provider, pause)$
-- Let nobody send for so long.
SELECT balansity.hold_mail(:provider, :pause);
