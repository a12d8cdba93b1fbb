-- What Supabase itself brings, made by its superuser before the site: signed-up people, and who is asking.
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, created_at timestamptz DEFAULT now());
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claim.sub', true), '')::uuid
$$;
GRANT USAGE ON SCHEMA auth TO PUBLIC;
GRANT ALL ON auth.users TO live_owner, service_role;
GRANT ALL ON SCHEMA public TO live_owner;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
