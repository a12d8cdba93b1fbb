-- Triggers that a site may have of its own: one names its tables without a schema, one fails for some rows.
CREATE TABLE public.change_log (at timestamptz DEFAULT now(), relation text, row_id uuid);
CREATE FUNCTION public.log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_log (relation, row_id) VALUES (TG_TABLE_NAME, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER log_change AFTER UPDATE ON public.appointments FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE TRIGGER log_change AFTER UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION public.log_change();
CREATE FUNCTION public.refuse_vip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.notes LIKE 'VIP%' THEN
        RAISE EXCEPTION 'Only the head of the clinic changes consultations of VIPs';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_vip BEFORE UPDATE ON public.appointments FOR EACH ROW EXECUTE FUNCTION public.refuse_vip();
