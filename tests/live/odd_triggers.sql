-- Triggers of the old system in every odd shape: a condition that lets all through, one that lets too little through, one
-- that fires before, a function of another name.
DROP TRIGGER on_checkup_completed ON public.assessments;
CREATE TRIGGER checkups AFTER UPDATE ON public.assessments FOR EACH ROW
    WHEN (NEW.status = 'completed' AND OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION public.handle_checkup_completed();
CREATE OR REPLACE TRIGGER on_payment_status_change AFTER UPDATE ON public.payments FOR EACH ROW
    WHEN (NEW.status = 'completed') EXECUTE FUNCTION public.handle_payment_status_change();
ALTER FUNCTION public.handle_new_appointment RENAME TO tell_of_appointment;
CREATE OR REPLACE TRIGGER on_new_appointment BEFORE INSERT ON public.appointments FOR EACH ROW
    EXECUTE FUNCTION public.tell_of_appointment();
