//! Django, Flask and FastAPI, and migrations by Alembic.

use super::finding::Finding;
use super::folder::Folder;

pub(super) fn look(folder: &Folder) -> Option<Finding> {
    django(folder).or_else(|| {
        let mut finding = app(folder);
        if folder.has("alembic.ini") {
            let found = finding.unwrap_or_else(|| Finding::of("alembic.ini"));
            finding = Some(found.migrate(&["alembic", "upgrade", "head"]));
        }
        finding
    })
}

fn django(folder: &Folder) -> Option<Finding> {
    folder.text("manage.py")?;
    let finding = Finding::of("manage.py (Django)")
        .migrate(&["python3", "manage.py", "migrate", "--noinput"])
        .remark("the settings must take the database from DATABASE_URL, and allow the host 127.0.0.1 (or set run.ready.host)");
    let app = folder.names("").into_iter().find(|name| folder.has(&format!("{name}/wsgi.py")));
    Some(match app {
        Some(app) => finding.command(&["gunicorn", "--bind", "127.0.0.1:$PORT", &format!("{app}.wsgi")]),
        None => finding
            .command(&["python3", "manage.py", "runserver", "--noreload", "127.0.0.1:$PORT"])
            .remark("this is Django's development server: there is no wsgi.py"),
    })
}

fn app(folder: &Folder) -> Option<Finding> {
    let module = ["main", "app", "wsgi", "server", "app/main", "src/main"];
    module.iter().find_map(|module| {
        let text = folder.text(&format!("{module}.py"))?;
        let named = |call: &str| {
            let line =
                text.lines().find(|line| line.contains(call) && !line.starts_with(char::is_whitespace))?;
            line.split_once('=').map(|(name, _)| name.trim().split(':').next().unwrap_or("app").to_owned())
        };
        let path = module.replace('/', ".");
        if let Some(app) = named("FastAPI(") {
            let uvicorn = ["uvicorn", "--host", "127.0.0.1", "--port", "$PORT", &format!("{path}:{app}")];
            return Some(Finding::of(format!("{module}.py (FastAPI)")).command(&uvicorn));
        }
        let app = named("Flask(")?;
        let gunicorn = ["gunicorn", "--bind", "127.0.0.1:$PORT", &format!("{path}:{app}")];
        Some(Finding::of(format!("{module}.py (Flask)")).command(&gunicorn))
    })
}
