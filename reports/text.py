"""The words of a report: warm, calm, plain Russian; a screening, never a diagnosis."""

from reports.report import Report
from reports.scoring import Score, Status

Step = tuple[str, str]  # what to do, and why

TITLES = {
    "checkup": "Результаты чекапа",
    "parent": "Результаты родительского чекапа",
    "family": "Результаты семейного чекапа",
}
SUBJECTS = {
    "checkup": "Эмоции, поведение и отношения",
    "parent": "Самочувствие и настроение родителя",
    "family": "Отношения и поддержка в семье",
}
STATUSES = {
    Status.TYPICAL: "Все в порядке",
    Status.BORDERLINE: "Погранично",
    Status.CONCERNING: "Требует внимания",
    Status.INCOMPLETE: "Неполные данные",
    Status.UNCLEAR: "Нужно уточнить",
}
SCALES = {
    "emotional": ("Эмоции", "Тревога, страхи, грусть, телесное напряжение"),
    "conduct": ("Поведение", "Вспышки гнева, споры, трудности с правилами"),
    "hyperactivity": ("Внимание и активность", "Усидчивость, сосредоточенность, импульсивность"),
    "peer_problems": ("Отношения со сверстниками", "Дружба, общение, место среди других детей"),
    "total_difficulties": ("Общий уровень трудностей", "Четыре шкалы выше, сложенные вместе"),
    "impact_child": ("Влияние на ребенка", "Насколько трудности мешают самому ребенку"),
    "impact_parent": ("Влияние на родителя", "Насколько тяжело приходится вам"),
    "impact_family": ("Влияние на семью", "Как трудности отражаются на жизни семьи"),
    "anxiety": ("Тревога", "Беспокойство и внутреннее напряжение"),
    "depression": ("Сниженное настроение", "Подавленность, потеря интереса и радости"),
    "family_stress": ("Напряжение в семье", "Насколько напряженно сейчас дома"),
    "partner_relationship": ("Отношения с партнером", "Близость и согласие между партнерами"),
    "coparenting": ("Совместное воспитание", "Насколько родители действуют вместе"),
    # What the site adds in its own results.
    "prosocial": ("Отзывчивость", "Готовность помогать, делиться и заботиться о других"),
    "impact": ("Влияние на жизнь", "Насколько трудности мешают ребенку и семье"),
    "total": ("Общий результат", "Шкалы выше, сложенные вместе"),
}
MOST_LISTED = 12
LONGEST_TITLE = 40  # characters of a scale that only the site knows

SCREENING = (
    "Чекап — это скрининг. Он помогает заметить, чему уделить внимание, но не ставит диагноз "
    "и не заменяет встречу со специалистом."
)
HOW_TO_READ = "Чем длиннее полоса, тем больше трудностей. Главное — оценка справа."
THRESHOLD = "Черта на полосе — порог: около него и выше к шкале важно присмотреться."
IMPACT_INTRO = "Не сами трудности, а то, насколько они мешают жить, учиться и отдыхать."
EMERGENCY = (
    "Если прямо сейчас кому-то угрожает опасность или есть мысли о самоповреждении, не ждите записи: позвоните 112."
)
NOT_ALONE = "Не оставайтесь с этим наедине: расскажите тому, кому доверяете."
URGENT = {
    "checkup": f"{EMERGENCY} Детский телефон доверия: 8-800-2000-122, бесплатно и анонимно.",
    "parent": f"{EMERGENCY} {NOT_ALONE}",
    "family": f"{EMERGENCY} {NOT_ALONE}",
}
BOOK = "Записаться на консультацию"
CALL = "Или позвоните нам:"
QR_CODE = "QR-код со ссылкой для записи: {address}"
NOTES = "Ваши заметки и вопросы специалисту"
PARTIAL = (
    "На часть вопросов ответов нет, поэтому картина неполная: результаты этих шкал предварительные, их лучше уточнить."
)

SUPPORT = (
    "Так бывает у многих семей, и с этим можно работать. Результат не говорит, что кто-то виноват "
    "или что-то сделано не так: он подсказывает, с чего начать разговор со специалистом."
)
WATCH = (
    "Это не повод для тревоги, но за этим стоит понаблюдать в ближайшие недели и при желании обсудить со специалистом."
)
CALM = (
    "Ответы не показывают выраженных трудностей. "
    "То, что вы замечаете перемены и задаете вопросы, — уже большая поддержка."
)
UNSURE = "Это не значит, что там что-то не так: ответов пока мало, чтобы сказать «все в порядке»."
UNRATED = "По этим ответам нельзя сказать ни что все в порядке, ни что что-то не так: оценку даст специалист."
ASK = "Нужно уточнить у специалиста: {scales}."

MEET = (
    "Запишитесь на консультацию",
    "Специалист Balansity посмотрит на результаты вместе с вами и подскажет, какая помощь нужна и нужна ли она.",
)
BRING = (
    "Возьмите отчет с собой",
    "По нему специалисту проще увидеть картину целиком и задать точные вопросы.",
)
OBSERVE = (
    "Понаблюдайте две — четыре недели",
    "Отмечайте, когда становится труднее, а когда легче: это подскажет, что помогает.",
)
DISCUSS = (
    "Обсудите, если беспокойство остается",
    "Короткой встречи со специалистом часто достаточно, чтобы стало понятнее.",
)
COMPLETE = (
    "Ответьте на остальные вопросы",
    "Когда будет удобно, пройдите чекап полностью: с неполными ответами легко что-то не заметить.",
)
KEEP = (
    "Продолжайте то, что помогает",
    "Общее время, режим сна и спокойные разговоры поддерживают и детей, и взрослых.",
)
REPEAT = (
    "Повторите чекап, если что-то изменится",
    "Сравнить два отчета полезнее, чем гадать по одному.",
)
AT_HOME = {
    "checkup": (
        "Поговорите с ребенком",
        "Спокойно и без оценок: что дается трудно, что радует, чем вы можете помочь.",
    ),
    "parent": (
        "Позаботьтесь о себе",
        "Сон, отдых и помощь близких — не роскошь: силы родителя нужны всей семье.",
    ),
    "family": (
        "Поговорите друг с другом",
        "Выберите спокойный момент и начните с того, что у вас получается вместе.",
    ),
}


def title(score: Score) -> str:
    """The scale's name; one that only the site knows is shown as the site calls it."""
    name = score.scale.name
    if name in SCALES:
        return SCALES[name][0]
    own = " ".join(name.replace("_", " ").split()) or "Без названия"
    own = own[:1].upper() + own[1:]
    return own if len(own) <= LONGEST_TITLE else own[: LONGEST_TITLE - 1].rstrip() + "…"


def about(score: Score) -> str:
    return SCALES[score.scale.name][1] if score.scale.name in SCALES else ""


def points(score: Score) -> str:
    if score.points is None:
        return "—"
    shown = str(score.points).replace(".", ",")
    return shown if score.maximum is None else f"{shown} из {score.maximum}"


def note(score: Score) -> str:
    """What limits this score: answers that are missing."""
    if score.points is None and not score.is_sites:
        return "Ответов нет, оценить нельзя"
    if score.is_partial:
        return f"Учтено ответов: {score.answered} из {len(score.scale.questions)}, оценка предварительная"
    return ""


def drawn(score: Score) -> str:
    """What a scale's bar shows, for whoever does not see it."""
    threshold = f", порог {score.threshold}" if score.threshold is not None else ""
    return f"{title(score)}: {points(score)}{threshold}"


def how_to_read(report: Report) -> str:
    """How the bars are meant; of a threshold only where one is drawn."""
    is_drawn = any(score.threshold for score in report.scores)
    return f"{HOW_TO_READ} {THRESHOLD}" if is_drawn else HOW_TO_READ


def summary(report: Report) -> tuple[str, str]:
    """The main thing in one line, and what it means in a few sentences."""
    concerning, borderline = report.with_status(Status.CONCERNING), report.with_status(Status.BORDERLINE)
    incomplete, unclear = report.with_status(Status.INCOMPLETE), report.with_status(Status.UNCLEAR)
    near = f"Погранично: {_listed(borderline)}." if borderline else ""
    lacking = f"Неполные данные: {_listed(incomplete)}." if incomplete else ""
    asking = ASK.format(scales=_listed(unclear)) if unclear else ""
    if concerning:
        return "Есть то, чему важно уделить внимание", _joined(
            f"Требует внимания: {_listed(concerning)}.", near, asking, SUPPORT
        )
    if borderline:
        is_calm = not incomplete and not unclear
        headline = "В целом спокойно, есть к чему присмотреться" if is_calm else "Есть к чему присмотреться"
        return headline, _joined(near, WATCH, lacking, asking)
    if incomplete:
        return "Для вывода не хватает ответов", _joined(lacking, asking, UNSURE)
    if unclear or not report.with_status(Status.TYPICAL):
        return "Обсудите результаты со специалистом", _joined(asking, UNRATED)
    return "Все в порядке", _joined(_place(report), CALM)


def _place(report: Report) -> str:
    """Where typical results stand: below the table's thresholds, or where the site decided, as it said."""
    if any(score.is_sites for score in report.scores):
        return "По всем шкалам — «все в порядке»."
    return "По всем шкалам результаты ниже порога внимания."


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _listed(scores: tuple[Score, ...]) -> str:
    """The scales by name, a dozen at most; a sum only where it stands alone."""
    parts = tuple(score for score in scores if not score.scale.is_sum) or scores
    more = f" и еще {len(parts) - MOST_LISTED}" if len(parts) > MOST_LISTED else ""
    return ", ".join(f"«{title(score)}»" for score in parts[:MOST_LISTED]) + more


def next_steps(report: Report) -> tuple[Step, ...]:
    """What to do next, each step with its reason."""
    complete: tuple[Step, ...] = (COMPLETE,) if report.with_status(Status.INCOMPLETE) else ()
    if report.with_status(Status.CONCERNING):
        first: tuple[Step, ...] = (MEET, BRING)
    elif report.with_status(Status.BORDERLINE):
        first = (OBSERVE, DISCUSS)
    elif report.with_status(Status.UNCLEAR) or not any(score.status for score in report.scores):
        first = (MEET, BRING)
    else:
        first = () if complete else (KEEP,)
    return (*first, *complete, AT_HOME[report.assessment_type], REPEAT)
