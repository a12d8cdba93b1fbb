-- The tables of a live site as it made them itself: more of them, and more columns, than this product needs.
-- Run by their owner, who is no superuser.

CREATE TYPE public.user_kind AS ENUM ('parent', 'specialist', 'admin');
CREATE TABLE public.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL, inn varchar(12), settings jsonb DEFAULT '{}'
);
CREATE TABLE public.users (
    id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
    email text UNIQUE, phone text, region text, marketing_consent boolean DEFAULT false, role text DEFAULT 'user',
    kind public.user_kind DEFAULT 'parent', avatar_url text, locale varchar(5) DEFAULT 'ru', last_seen_at timestamptz,
    organization_id uuid REFERENCES public.organizations,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.specialists (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid REFERENCES public.users, bio text, rating numeric(3, 2),
    zoom_link text, is_active boolean DEFAULT true, created_at timestamptz DEFAULT now()
);
CREATE TABLE public.specialist_hours (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, specialist_id uuid NOT NULL REFERENCES public.specialists,
    weekday smallint NOT NULL, opens time NOT NULL, closes time NOT NULL, CHECK (opens < closes)
);
CREATE TABLE public.profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES public.users ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('parent', 'child', 'partner', 'sibling', 'caregiver', 'other')),
    first_name text NOT NULL, last_name text, middle_name text, dob date,
    gender text CHECK (gender IN ('male', 'female', 'other')), pronouns text, school text, avatar_url text,
    is_deleted boolean DEFAULT false, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.family_relations (
    parent_id uuid REFERENCES public.profiles ON DELETE CASCADE, child_id uuid REFERENCES public.profiles ON DELETE CASCADE,
    relation text, PRIMARY KEY (parent_id, child_id)
);
CREATE TABLE public.assessments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), profile_id uuid REFERENCES public.profiles ON DELETE CASCADE,
    assessment_type text NOT NULL CHECK (assessment_type IN ('checkup', 'parent', 'family')),
    status text DEFAULT 'in_progress' CHECK (status IN ('in_progress', 'completed', 'abandoned')),
    current_step integer DEFAULT 1, total_steps integer DEFAULT 31, is_paid boolean DEFAULT false, payment_id text,
    results_summary jsonb, utm_source text, worry_tags text[] DEFAULT '{}', version integer DEFAULT 2,
    started_at timestamptz DEFAULT now(), completed_at timestamptz,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.answers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assessment_id uuid NOT NULL REFERENCES public.assessments ON DELETE CASCADE, question_id integer NOT NULL,
    question_code text, category text, value integer NOT NULL, answer_type text, step_number integer,
    created_at timestamptz DEFAULT now(), UNIQUE (assessment_id, question_id)
);
CREATE TABLE public.questions (
    id integer PRIMARY KEY, code text UNIQUE, wording text NOT NULL, category text, reverse_scored boolean DEFAULT false
);
CREATE TABLE public.appointment_types (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, description text, duration_minutes integer NOT NULL,
    price numeric(10, 2) NOT NULL DEFAULT 0, color text, sort_order integer DEFAULT 0, is_active boolean DEFAULT true,
    created_at timestamptz DEFAULT now()
);
CREATE TABLE public.payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES public.users,
    amount numeric(10, 2) NOT NULL CHECK (amount > 0), currency text DEFAULT 'RUB',
    status text DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled', 'refunded')),
    payment_method text, external_payment_id text, metadata jsonb DEFAULT '{}', receipt_url text, promo_code text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.appointments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES public.users ON DELETE CASCADE,
    profile_id uuid REFERENCES public.profiles ON DELETE SET NULL,
    appointment_type_id uuid NOT NULL REFERENCES public.appointment_types, scheduled_at timestamptz NOT NULL,
    status text DEFAULT 'scheduled'
        CONSTRAINT status_is_known CHECK (status IN ('scheduled', 'in_progress', 'completed', 'cancelled', 'no_show')),
    payment_id uuid REFERENCES public.payments, notes text, duration_minutes integer, timezone text DEFAULT 'Europe/Moscow',
    video_room_url text, specialist_id uuid REFERENCES public.specialists, specialist_notes text, recording_url text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE UNIQUE INDEX appointments_one_payment ON public.appointments (payment_id) WHERE payment_id IS NOT NULL;
CREATE TABLE public.packages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, description text, session_count integer NOT NULL,
    appointment_type_id uuid REFERENCES public.appointment_types, price numeric(10, 2) NOT NULL,
    discount_percent integer DEFAULT 0, is_active boolean DEFAULT true, created_at timestamptz DEFAULT now()
);
CREATE TABLE public.package_purchases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES public.users,
    package_id uuid NOT NULL REFERENCES public.packages, sessions_remaining integer NOT NULL,
    payment_id uuid REFERENCES public.payments, expires_at timestamptz,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.webhook_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, provider text, event text, body jsonb,
    received_at timestamptz DEFAULT now()
);
CREATE TABLE public.blog_posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), author_id uuid REFERENCES public.users, slug text UNIQUE, body text
);
CREATE TABLE public.consents (
    user_id uuid REFERENCES public.users ON DELETE CASCADE, document text, given_at timestamptz DEFAULT now(),
    PRIMARY KEY (user_id, document)
);

INSERT INTO public.appointment_types (name, duration_minutes, price, sort_order) VALUES
    ('Первичная встреча', 30, 0, 1), ('Детский психолог', 45, 5000, 2), ('Нейропсихолог', 45, 5000, 3),
    ('Психиатр', 45, 5000, 4), ('Невролог', 45, 5000, 5), ('Семейный психолог', 45, 5000, 6), ('Логопед', 45, 5000, 7);
INSERT INTO public.packages (name, session_count, appointment_type_id, price)
SELECT 'Десять встреч', 10, id, 45000 FROM public.appointment_types WHERE name = 'Детский психолог';

CREATE FUNCTION public.handle_new_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.users (id, email) VALUES (NEW.id, NEW.email);
    RETURN NEW;
END $$;

CREATE FUNCTION public.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
CREATE TRIGGER touch BEFORE UPDATE ON public.assessments FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
CREATE TRIGGER touch BEFORE UPDATE ON public.appointments FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
CREATE TRIGGER touch BEFORE UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

-- The site's own scores: their thresholds are not those of the table that serves where there are no such functions.
CREATE FUNCTION public.calculate_checkup_scores(p_assessment_id uuid) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'emotional', jsonb_build_object(
            'score', coalesce(sum(value) FILTER (WHERE question_id BETWEEN 2 AND 6), 0),
            'status', CASE WHEN sum(value) FILTER (WHERE question_id BETWEEN 2 AND 6) >= 5 THEN 'concerning' ELSE 'typical' END),
        'total_difficulties', coalesce(sum(value) FILTER (WHERE question_id BETWEEN 2 AND 21), 0),
        'calculated_at', now())
    FROM public.answers WHERE assessment_id = p_assessment_id AND value >= 0
$$;

-- Row-level security: a signed-in user reads, adds and changes own rows, whatever the values.
DO $$
DECLARE
    closed name;
BEGIN
    FOR closed IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', closed);
        EXECUTE format('GRANT ALL ON public.%I TO anon, authenticated, service_role', closed);
    END LOOP;
END $$;
CREATE POLICY own ON public.users TO authenticated USING (id = auth.uid()) WITH CHECK (id = auth.uid());
CREATE POLICY own ON public.profiles TO authenticated USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
CREATE POLICY own ON public.payments TO authenticated USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
CREATE POLICY own ON public.appointments TO authenticated USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());
CREATE POLICY own ON public.package_purchases FOR SELECT TO authenticated USING (user_id = auth.uid());
CREATE POLICY own ON public.assessments TO authenticated
    USING (EXISTS (SELECT FROM public.profiles p WHERE p.id = profile_id AND p.user_id = auth.uid()));
CREATE POLICY own ON public.answers TO authenticated USING (EXISTS (
    SELECT FROM public.assessments a JOIN public.profiles p ON p.id = a.profile_id
    WHERE a.id = assessment_id AND p.user_id = auth.uid()));
CREATE POLICY offered ON public.appointment_types FOR SELECT USING (is_active);
CREATE POLICY offered ON public.packages FOR SELECT USING (is_active);
