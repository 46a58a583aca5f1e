"""
The command line in Russian: the English sentence and what it is called there.
"""

RUSSIAN = {
    # what each command of dispatch does
    "Create, fill, start, watch and stop dispatches over the HTTP API.": (
        "Создание, наполнение, запуск, наблюдение и остановка рассылок через HTTP API."
    ),
    "Exit codes: 0 done, 1 the server refused, 2 usage, 3 done in part, 4 no server reached.": (
        "Коды завершения: 0 сделано, 1 сервер отказал, 2 ошибка в команде, 3 сделано частично, 4 сервер недоступен."
    ),
    "Create a dispatch and print its id.": "Создать рассылку и напечатать её номер.",
    "Fill a dispatch from a CSV or NDJSON file (.gz too); - reads standard input.": (
        "Наполнить рассылку из файла CSV или NDJSON (можно .gz); - читает стандартный ввод."
    ),
    "Start a dispatch; nothing can be added afterwards.": (
        "Запустить рассылку; после этого добавить в неё ничего нельзя."
    ),
    "Stop a dispatch: once this returns, not one more message of it leaves.": (
        "Остановить рассылку: когда команда вернулась, больше ни одно её сообщение не уйдёт."
    ),
    "Pause a dispatch: once this returns, nothing more leaves until it is resumed.": (
        "Приостановить рассылку: когда команда вернулась, до продолжения ничего не уйдёт."
    ),
    "Go on with a paused dispatch.": "Продолжить приостановленную рассылку.",
    "Show the progress of a dispatch until it has ended.": "Показывать ход рассылки, пока она не закончится.",
    "List dispatches, newest first.": "Список рассылок, сначала новые.",
    "Show the account of a stop.": "Показать отчёт об остановке.",
    # its options
    "Address of the server.": "Адрес сервера.",
    "API key, a TOKEN_1.": "Ключ API вида TOKEN_1.",
    "Id of the dispatch.": "Номер рассылки.",
    "Print JSON as the server sent it.": "Напечатать JSON, как его прислал сервер.",
    "Name of the dispatch.": "Название рассылки.",
    "Sender name that handsets show.": "Имя отправителя, которое видно на телефоне.",
    "The text; {name} stands for the column of that name.": "Текст; {name} заменяется столбцом с этим именем.",
    "Local time to begin: YYYY-MM-DD hh:mm:ss.": "Местное время начала: ГГГГ-ММ-ДД чч:мм:сс.",
    "Local time to end: YYYY-MM-DD hh:mm:ss.": "Местное время окончания: ГГГГ-ММ-ДД чч:мм:сс.",
    "Allowed hours, such as 9-20 or 9,10,18.": "Разрешённые часы, например 9-20 или 9,10,18.",
    "Allowed weekdays, Monday is 1, such as 1-5.": "Разрешённые дни недели, понедельник — 1, например 1-5.",
    "Read times in the subscriber's zone.": "Считать время в поясе абонента.",
    "At most so many a day, hour or minute: 100/m.": "Не больше стольких в день (d), час (h) или минуту (m): 100/m.",
    "Seconds that the carrier may try, 60 to 86400.": (
        "Сколько секунд оператор может пытаться доставить, от 60 до 86400."
    ),
    "A tag; may be repeated.": "Метка; можно указать несколько раз.",
    "CSV with a header, or NDJSON.": "CSV с заголовком или NDJSON.",
    "End as soon as it has this status.": "Закончить, как только рассылка в этом состоянии.",
    "A part of the name.": "Часть названия.",
    "In this status; may be repeated.": "В этом состоянии; можно указать несколько раз.",
    "Page, from 1.": "Страница, начиная с 1.",
    "Dispatches on a page.": "Рассылок на странице.",
    # what it says
    "accepted {accepted} of {total}": "принято {accepted} из {total}",
    "row {row}: {destination}: error {code}": "строка {row}: {destination}: ошибка {code}",
    "… and {count} more rows": "… и ещё строк: {count}",
    "started": "запущена",
    "paused": "приостановлена",
    "resumed": "продолжена",
    "stopped in {ms} ms: accepted {accepted}, refused {refused}, in doubt {in_doubt}, never sent {never_sent}": (
        "остановлена за {ms} мс: принято {accepted}, отклонено {refused}, под вопросом {in_doubt}, "
        "не отправлено {never_sent}"
    ),
    "{status}: {left} of {total} handed over, {delivered} delivered, {undelivered} undelivered, "
    "{unsent} unsent, {rate} a second": (
        "{status}: передано {left} из {total}, доставлено {delivered}, не доставлено {undelivered}, "
        "не отправлено {unsent}, {rate} в секунду"
    ),
    "no API key: give --key or set PENSTOCK_KEY": "нет ключа API: укажите --key или переменную PENSTOCK_KEY",
    "no server reached: {error}": "сервер недоступен: {error}",
    "Each option may also stand in the file, as port, or in the environment, as PENSTOCK_PORT.": (
        "Каждый параметр можно указать и в файле, как port, и в окружении, как PENSTOCK_PORT."
    ),
    "expected an address such as {example}": "нужен адрес вида {example}",
    "--rate: expected a number and d, h or m, such as 100/m, got {text}": (
        "--rate: нужно число и d, h или m, например 100/m, а не {text}"
    ),
    "{option}: expected numbers such as 9-12,18, got {text}": "{option}: нужны числа, например 9-12,18, а не {text}",
    # statuses of a dispatch
    "initiated": "наполняется",
    "scheduled": "запланирована",
    "sending": "отправляется",
    "awaiting": "ждёт отчётов",
    "changing": "останавливается",
    "done": "завершена",
    "stopped": "остановлена",
    # headings and rows
    "id": "номер",
    "name": "название",
    "status": "состояние",
    "total": "всего",
    "delivered": "доставлено",
    "undelivered": "не доставлено",
    "sent, awaiting receipts": "передано, ждут отчёта",
    "unsent": "не отправлено",
    "waiting": "ожидают",
    "not delivered": "не доставлено",
    "in progress": "в работе",
    "{rate} a second": "{rate} в секунду",
    "{shown} of {total}": "{shown} из {total}",
    "Stop of dispatch {id}": "Остановка рассылки {id}",
    "requested": "запрошена",
    "effective": "вступила в силу",
    "asked for by key": "запросил ключ",
    "milliseconds to the reply": "миллисекунд до ответа",
    "accepted by the carrier": "принято оператором",
    "refused by the carrier": "отклонено оператором",
    "in doubt": "под вопросом",
    "never sent": "не отправлено",
    "written after the stop (must be 0)": "записано после остановки (должно быть 0)",
    "{name}: accepted / refused / in doubt": "{name}: принято / отклонено / под вопросом",
    "carrier not known": "оператор неизвестен",
    # the simulator
    "Run an SMSC that answers as the options say.": "Запустить SMSC, который отвечает так, как велят параметры.",
    "Address to listen on.": "Адрес, на котором слушать.",
    "Port to listen on; 0 takes a free one.": "Порт, на котором слушать; 0 — любой свободный.",
    "File for the wire log, one line of JSON for each PDU.": "Файл журнала обмена: строка JSON на каждый PDU.",
    "Milliseconds to an answer, such as 10 or 0-50 for any between.": (
        "Миллисекунд до ответа: 10 или 0-50, то есть любое между ними."
    ),
    "Share of messages that get a receipt.": "Доля сообщений, на которые приходит отчёт.",
    "Milliseconds from an answer to its receipt.": "Миллисекунд от ответа до отчёта.",
    "Share of receipts that say UNDELIV.": "Доля отчётов со статусом UNDELIV.",
    "Form of receipts: text, tlv or both.": "Вид отчётов: text, tlv или both (оба).",
    "Send receipts on any connection of the account.": "Присылать отчёты по любому соединению учётной записи.",
    "Send the receipt before the answer.": "Присылать отчёт раньше ответа.",
    "Share of messages throttled.": "Доля сообщений, на которые просят подождать.",
    "Share of messages refused.": "Доля отклонённых сообщений.",
    "Share of messages taken and never answered.": "Доля сообщений, принятых без ответа.",
    "Form of message ids: dec, hex or uuid.": "Вид номеров сообщений: dec, hex или uuid.",
    "Unanswered messages above which the queue is full; 0: no limit.": (
        "Сколько сообщений без ответа переполняют очередь; 0 — без предела."
    ),
    "Close each connection after this many messages; 0: never.": (
        "Закрывать каждое соединение после стольких сообщений; 0 — никогда."
    ),
    "Make chance repeatable.": "Сделать случайность повторяемой.",
    "The only system_id let in.": "Единственный system_id, который пускают.",
    "Change settings by lines of JSON on standard input.": "Менять настройки строками JSON из стандартного ввода.",
    "The only password let in.": "Единственный пароль, с которым пускают.",
    "penstock smsc: {reason}": "penstock smsc: {reason}",
    "--latency: expected milliseconds such as 10, or a range such as 0-50, not {given!r}": (
        "--latency: нужны миллисекунды, например 10, или промежуток, например 0-50, а не {given!r}"
    ),
    # the server and its administration
    "Self-hosted mass messaging over the Direct HTTP API, with a stop that is exact.": (
        "Свой сервер массовых рассылок с HTTP API Direct и точной остановкой."
    ),
    "Print the version and end.": "Напечатать версию и закончить.",
    "Run the server.": "Запустить сервер.",
    "Address of the HTTP API.": "Адрес HTTP API.",
    "Its port; 0 takes a free one.": "Его порт; 0 — любой свободный.",
    "What runs here: all, api or sender.": "Что здесь работает: all (всё), api или sender.",
    "Sender processes.": "Процессов отправки.",
    "API processes.": "Процессов API.",
    "What is logged: debug, info, warning or error.": "Что попадает в журнал: debug, info, warning или error.",
    "File with settings, TOML.": "Файл настроек, TOML.",
    "Folder of the embedded PostgreSQL.": "Папка встроенного PostgreSQL.",
    "Address of a PostgreSQL of your own.": "Адрес своего PostgreSQL.",
    "API keys.": "Ключи API.",
    "Make an API key and print it; it cannot be shown again.": (
        "Создать ключ API и напечатать его; второй раз его увидеть нельзя."
    ),
    "1 dispatches and messages, 2 sender names, 3 verifier, 4 widget.": (
        "1 рассылки и сообщения, 2 имена отправителей, 3 верификатор, 4 виджет."
    ),
    "Account; made if there is none of that name.": "Учётная запись; создаётся, если такой нет.",
    "Traffic centre of a key of kind 1; made if there is none of that name.": (
        "Центр трафика ключа вида 1; создаётся, если такого нет."
    ),
    "The database.": "База данных.",
    "Bring the database up to date; serve does so by itself.": "Обновить базу данных; serve делает это само.",
    "applied {name}": "применено: {name}",
    "nothing to do": "делать нечего",
    "the database does not answer: {reason}": "база данных не отвечает: {reason}",
    "the database cannot be used: {reason}": "базой данных нельзя пользоваться: {reason}",
    "{data} holds no data: begin with penstock serve, or name another folder with --data": (
        "в {data} нет данных: начните с penstock serve или укажите другую папку через --data"
    ),
    "{option}: expected a name": "{option}: нужно название",
    # prove
    "Prove that nothing leaves after a stop: stops at full rate, with faults.": (
        "Доказать, что после остановки ничего не уходит: остановки на полной скорости и со сбоями."
    ),
    "How many stops to make.": "Сколько сделать остановок.",
    "What all decisions are drawn from.": "Число, из которого выводятся все решения.",
    "What goes wrong meanwhile: none, all, or some of kill, freeze, cut, slow, lost, throttle, postgres.": (
        "Какие сбои устраивать: none, all (все) или некоторые из kill, freeze, cut, slow, lost, throttle, postgres."
    ),
    "Connections of each sender to the carrier.": "Соединений каждого процесса отправки с оператором.",
    "Messages in a dispatch.": "Сообщений в рассылке.",
    "Print the verdict as JSON.": "Напечатать вердикт как JSON.",
    "Empty folder for the wire log and all else; it is kept.": (
        "Пустая папка для журнала сети и всего остального; она останется."
    ),
    "Test the proof itself: let senders ignore their gate; it must fail.": (
        "Проверить само доказательство: пусть отправка не смотрит на затвор; тогда оно должно провалиться."
    ),
    "--faults: expected none, all or names with commas between, got {text}": (
        "--faults: нужно none, all или названия через запятую, а не {text}"
    ),
    "--keep: {folder} is not empty": "--keep: папка {folder} не пуста",
    "The logs are in {folder}": "Журналы в папке {folder}",
    "{done} of {stops} stops, {messages} messages on the wire, {faults} faults, {seconds} s": (
        "остановок {done} из {stops}, сообщений в сети {messages}, сбоев {faults}, {seconds} с"
    ),
    "PASS": "ДОКАЗАНО",
    "FAIL": "НЕ ДОКАЗАНО",
    "{stops} stops: {leaks} leaks, {duplicates} duplicates, {lost} lost": (
        "остановок {stops}: утечек {leaks}, повторов {duplicates}, потерь {lost}"
    ),
    "stops": "остановок",
    "of them in the middle": "из них на полпути",
    "messages on the wire": "сообщений в сети",
    "leaks: came after the answer to a stop": "утечки: пришли после ответа об остановке",
    "duplicates: came twice": "повторы: пришли дважды",
    "lost: in no account, or not where it says": "потери: нет ни в одном отчёте или не там, где сказано",
    "in doubt, and at most to be explained by the faults": "под вопросом и сколько могут объяснить сбои",
    "receipts compared with the wire": "отчётов сверено с сетью",
    "contradictions between them": "расхождений с ними",
    "messages stopped by uuid": "сообщений остановлено по uuid",
    "reply in ms: p50 / p99 / max": "ответ, мс: p50 / p99 / наибольший",
    "seconds, seed": "секунд, seed",
    "fault": "сбой",
    "made": "устроено",
    "stops meanwhile": "остановок при нём",
    "leaks": "утечек",
    "What is wrong": "Что не так",
    "what": "что",
    "act": "действие",
    "destination": "получатель",
    "details": "подробности",
    "leak": "утечка",
    "duplicate": "повтор",
    "lost": "потеря",
    "receipt": "отчёт",
    "none": "нет",
    "kill": "kill -9",
    "freeze": "заморозка",
    "cut": "обрыв",
    "slow": "медленный оператор",
    "throttle": "просьба не спешить",
    "postgres": "PostgreSQL",
}
