-- Creates the service's own tables where they are missing; a live database has them and keeps them as they are.

DO $$
BEGIN -- for this transaction
    PERFORM set_config('balansity.tables_found', coalesce(string_agg(tablename, ','), ''), true)
    FROM pg_tables WHERE schemaname = 'public';
END $$;

CREATE TABLE IF NOT EXISTS public.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text,
    phone text,
    region text,
    marketing_consent boolean NOT NULL DEFAULT false,
    role text NOT NULL DEFAULT 'user',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    type text NOT NULL CHECK (type IN ('parent', 'child', 'partner', 'sibling', 'caregiver', 'other')),
    first_name text NOT NULL,
    last_name text,
    dob date,
    gender text CHECK (gender IN ('male', 'female', 'other')),
    pronouns text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.assessments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    profile_id uuid REFERENCES public.profiles (id) ON DELETE CASCADE,
    assessment_type text NOT NULL CHECK (assessment_type IN ('checkup', 'parent', 'family')),
    status text NOT NULL DEFAULT 'in_progress' CHECK (status IN ('in_progress', 'completed', 'abandoned')),
    current_step integer NOT NULL DEFAULT 1,
    total_steps integer,
    is_paid boolean NOT NULL DEFAULT false,
    payment_id text,
    results_summary jsonb,
    started_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.answers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    assessment_id uuid NOT NULL REFERENCES public.assessments (id) ON DELETE CASCADE,
    question_id integer NOT NULL,
    question_code text,
    category text,
    value integer NOT NULL,
    answer_type text NOT NULL DEFAULT 'default'
        CHECK (answer_type IN ('default', 'impact', 'frequency', 'wellbeing', 'relationship')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (assessment_id, question_id)
);

CREATE TABLE IF NOT EXISTS public.appointment_types (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    duration_minutes integer NOT NULL,
    price numeric(10, 2) NOT NULL DEFAULT 0,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    amount numeric(10, 2) NOT NULL CHECK (amount > 0),
    currency text NOT NULL DEFAULT 'RUB',
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled', 'refunded')),
    payment_method text,
    external_payment_id text,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.appointments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    profile_id uuid REFERENCES public.profiles (id) ON DELETE SET NULL,
    appointment_type_id uuid NOT NULL REFERENCES public.appointment_types (id),
    scheduled_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'scheduled',
    payment_id uuid REFERENCES public.payments (id) ON DELETE SET NULL,
    notes text,
    duration_minutes integer,
    timezone text DEFAULT 'Europe/Moscow',
    video_room_url text,
    specialist_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.packages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    session_count integer NOT NULL,
    appointment_type_id uuid REFERENCES public.appointment_types (id),
    price numeric(10, 2) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.package_purchases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES public.users (id) ON DELETE CASCADE,
    package_id uuid NOT NULL REFERENCES public.packages (id),
    sessions_remaining integer NOT NULL,
    payment_id uuid REFERENCES public.payments (id) ON DELETE SET NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Supabase grants its visitors whatever tables appear in public: those made here stay closed until a policy opens them.
DO $$
DECLARE
    made name;
BEGIN
    FOR made IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> ALL (string_to_array(current_setting('balansity.tables_found'), ','))
    LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', made);
    END LOOP;
END $$;

-- A new database starts with the consultations that the clinic offers; one that has any keeps its own.
INSERT INTO public.appointment_types (name, duration_minutes, price)
SELECT offered.name, offered.minutes, offered.price
FROM (VALUES
    ('Первичная встреча', 30, 0),
    ('Детский психолог', 45, 5000),
    ('Нейропсихолог', 45, 5000),
    ('Психиатр', 45, 5000),
    ('Невролог', 45, 5000),
    ('Семейный психолог', 45, 5000),
    ('Логопед', 45, 5000)
) AS offered (name, minutes, price)
WHERE NOT EXISTS (SELECT FROM public.appointment_types);
