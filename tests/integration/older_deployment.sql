-- A live database as an older deployment left it: fewer columns, its own triggers and functions, row-level security.
CREATE TABLE public.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, role text DEFAULT 'user', loyalty_points integer
);
CREATE TABLE public.profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid REFERENCES public.users, type text,
    first_name text NOT NULL, last_name text
);
CREATE TABLE public.appointment_types (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, duration_minutes integer, price numeric(10, 2),
    is_active boolean DEFAULT true
);
CREATE TABLE public.payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid REFERENCES public.users, amount numeric(10, 2),
    currency text DEFAULT 'RUB', status text DEFAULT 'pending', payment_method text, external_payment_id text,
    metadata jsonb, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE TABLE public.appointments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid REFERENCES public.users,
    profile_id uuid REFERENCES public.profiles, appointment_type_id uuid REFERENCES public.appointment_types,
    scheduled_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('scheduled', 'in_progress', 'completed', 'cancelled', 'no_show')),
    payment_id uuid REFERENCES public.payments, notes text,
    created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()
);
CREATE INDEX latest_payments ON public.payments (user_id, created_at DESC);
ALTER TABLE public.appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;

INSERT INTO public.users (email, loyalty_points) VALUES ('anna@example.com', 7);
INSERT INTO public.appointment_types (name, duration_minutes, price) VALUES ('Логопед', 45, 5000);

CREATE FUNCTION public.pgmq_read(q text, seconds integer) RETURNS SETOF text LANGUAGE sql AS $$ SELECT q $$;
CREATE FUNCTION public.queue_email_task(recipient text, subject text, template text) RETURNS void
    LANGUAGE sql SECURITY DEFINER AS $$ SELECT $$;
CREATE FUNCTION public.handle_payment_status_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.appointments SET status = 'confirmed' WHERE payment_id = NEW.id AND status = 'pending';
    RETURN NEW;
END $$;
CREATE TRIGGER on_payment_status_change AFTER UPDATE ON public.payments
    FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();
CREATE TRIGGER on_new_appointment AFTER INSERT ON public.appointments
    FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();
