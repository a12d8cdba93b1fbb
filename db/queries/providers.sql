-- What workers know of the providers: balansity.provider_state.

-- name: look(provider)^
-- Whether the provider is away or being probed, and whether its last call got no answer; no row: neither.
SELECT state <> 'available' AS is_away, silences > 0 AS is_silent
FROM balansity.provider_state WHERE provider = :provider;

-- name: ask(provider, message_id, deadline)$
-- How long a message is held, in time for its deadline; NULL: it may call the provider.
SELECT balansity.ask_for_provider(:provider, :message_id::uuid, :deadline);

-- name: take_probe(provider, message_id)$
-- Whether a message that has another way out is to probe the provider.
SELECT balansity.take_probe(:provider, :message_id::uuid);

-- name: failed(provider, reason, worker, message_id)$
-- Note that the provider took nothing; gives how many outages the message has begun, 0 if this is none.
SELECT balansity.provider_failed(:provider, :reason, :worker, :message_id::uuid);

-- name: silent(provider, reason, worker, message_id)$
-- Note that the provider did not answer; gives the same, 0 too where it still counts as available.
SELECT balansity.provider_silent(:provider, :reason, :worker, :message_id::uuid);

-- name: worked(provider, worker)$
-- Note that the provider is there, and let go what was held for it, or much of it; gives whether it was away.
SELECT balansity.provider_worked(:provider, :worker);

-- name: let_go(provider, limit)$
-- Let go more of what is held for a provider that is there; gives how many.
SELECT balansity.let_go(:provider, :limit);

-- name: unasked(provider, message_id)!
-- Let the next message probe the provider: this one did not.
SELECT balansity.provider_unasked(:provider, :message_id::uuid);

-- name: listen(provider, reports, worker)^
-- Look whether a provider reports on the mails that it accepts: verdict (heard, unheard, never heard), and whether it is news.
SELECT verdict, news FROM balansity.listen_to_provider(:provider, :reports, :worker);

-- name: hear(worker)$
-- Let go what was held for providers that events have just been heard of again; gives for how many.
SELECT balansity.hear_providers(:worker);

-- name: list_states()
-- Every provider that was ever away or unheard of, and how many messages are held for it.
SELECT provider, state, since, reason, noticed_by, probes, next_probe_at,
       (SELECT count(*) FROM balansity.held_message h
        WHERE h.provider = s.provider AND s.state <> 'available' AND h.deadline > balansity.now()) AS held
FROM balansity.provider_state s
ORDER BY provider;
