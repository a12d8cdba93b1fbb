-- Looks at the statuses that are there, while the site goes on reading and writing.

DO $$
DECLARE
    stranger record;
    unproved name;
BEGIN
    SELECT id, status INTO stranger FROM public.appointments
    WHERE status NOT IN ('pending', 'scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Appointment % has the status "%", which nothing here knows: set it to pending, scheduled, '
            'confirmed, in_progress, completed, cancelled or no_show, in every such row, and migrate again.',
            stranger.id, stranger.status;
    END IF;
    FOR unproved IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'public.appointments'::regclass AND conname = 'appointments_status_check' AND NOT convalidated
    LOOP
        EXECUTE format('ALTER TABLE public.appointments VALIDATE CONSTRAINT %I', unproved);
    END LOOP;
END $$;
