"""The words of a report: warm, calm, plain Russian; a screening, never a diagnosis."""

from reports.report import Report
from reports.scoring import TOTAL, Score, Status

Step = tuple[str, str]  # what to do, and why

TITLES = {
    "checkup": "Результаты чекапа",
    "parent": "Результаты чекапа родителя",
    "family": "Результаты чекапа семьи",
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
}

SCREENING = (
    "Чекап — это скрининг. Он помогает заметить, чему уделить внимание, но не ставит диагноз "
    "и не заменяет встречу со специалистом."
)
HOW_TO_READ = (
    "Полоса показывает, сколько баллов набрано из возможных. Чем она длиннее, тем больше трудностей. "
    "Черта на полосе — порог: около него и выше к шкале важно присмотреться."
)
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
    return SCALES[score.scale.name][0]


def about(score: Score) -> str:
    return SCALES[score.scale.name][1]


def points(score: Score) -> str:
    return "—" if score.points is None else f"{score.points} из {score.scale.maximum}"


def note(score: Score) -> str:
    """What limits this score: answers that are missing."""
    if score.points is None:
        return "Ответов нет, оценить нельзя"
    if score.is_partial:
        return f"Учтено ответов: {score.answered} из {len(score.scale.questions)}, оценка предварительная"
    return ""


def summary(report: Report) -> tuple[str, str]:
    """The main thing in one line, and what it means in a few sentences."""
    concerning, borderline = report.with_status(Status.CONCERNING), report.with_status(Status.BORDERLINE)
    near = f"Около порога: {_listed(borderline)}." if borderline else ""
    if concerning:
        return "Есть то, чему важно уделить внимание", _joined(
            f"Требует внимания: {_listed(concerning)}.", near, SUPPORT
        )
    incomplete = report.with_status(Status.INCOMPLETE)
    lacking = f"Неполные данные: {_listed(incomplete)}." if incomplete else ""
    if borderline:
        headline = "Есть к чему присмотреться" if incomplete else "В целом спокойно, есть к чему присмотреться"
        return headline, _joined(near, WATCH, lacking)
    if incomplete:
        return "Для вывода не хватает ответов", _joined(lacking, UNSURE)
    return "Все в порядке", _joined(f"По всем шкалам результаты {_place(report)}.", CALM)


def _place(report: Report) -> str:
    """Where typical results stand: the site's norms may call one typical that has reached our threshold."""
    is_below = all((score.points or 0) < score.scale.threshold for score in report.scores)
    return "ниже порога внимания" if is_below else "ниже порога внимания или около него"


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _listed(scores: tuple[Score, ...]) -> str:
    """The scales by name; the total only where it stands alone."""
    parts = tuple(score for score in scores if score.scale is not TOTAL) or scores
    return ", ".join(f"«{title(score)}»" for score in parts)


def next_steps(report: Report) -> tuple[Step, ...]:
    """What to do next, each step with its reason."""
    complete: tuple[Step, ...] = (COMPLETE,) if report.with_status(Status.INCOMPLETE) else ()
    if report.with_status(Status.CONCERNING):
        first: tuple[Step, ...] = (MEET, BRING)
    elif report.with_status(Status.BORDERLINE):
        first = (OBSERVE, DISCUSS)
    else:
        first = () if complete else (KEEP,)
    return (*first, *complete, AT_HOME[report.assessment_type], REPEAT)
