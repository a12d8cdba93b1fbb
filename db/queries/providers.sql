-- What workers know of the providers: balansity.provider_state.

-- name: is_away(provider)$
-- Whether the provider is away, or is being probed.
SELECT EXISTS (SELECT FROM balansity.provider_state WHERE provider = :provider AND state <> 'available');

-- name: ask(provider, message_id, deadline)$
-- How long a message is held, in time for its deadline; NULL: it may call the provider.
SELECT balansity.ask_for_provider(:provider, :message_id::uuid, :deadline);

-- name: take_probe(provider)$
-- Whether a message that has another way out is to probe the provider.
SELECT balansity.take_probe(:provider);

-- name: failed(provider, reason, worker)$
-- Note that the provider took nothing; gives whether that was news.
SELECT balansity.provider_failed(:provider, :reason, :worker);

-- name: worked(provider, worker)$
-- Note that the provider answered, and let go what was held for it; gives whether it was away.
SELECT balansity.provider_worked(:provider, :worker);

-- name: unasked(provider)!
-- Let the next message probe the provider: this one did not.
SELECT balansity.provider_unasked(:provider);

-- name: listen(provider, reports, worker)^
-- Look whether a provider reports on the mails that it accepts: verdict (heard, silent, never heard), and whether it is news.
SELECT verdict, news FROM balansity.listen_to_provider(:provider, :reports, :worker);

-- name: list_states()
-- Every provider that was ever away or silent, and how many messages are held for it.
SELECT provider, state, since, reason, noticed_by, probes, next_probe_at,
       (SELECT count(*) FROM balansity.held_message h WHERE h.provider = s.provider) AS held
FROM balansity.provider_state s
ORDER BY provider;
