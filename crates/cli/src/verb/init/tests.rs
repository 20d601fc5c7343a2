//! Sample folders, and what is made of them.

use std::fs;

use tandem_core::spec::ServiceSpec;

use super::draft::Draft;
use super::folder::Folder;
use super::page::page;

/// Writes a configuration for a folder with these files, and reads it.
fn drafted(files: &[(&str, &str)]) -> (String, ServiceSpec) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("shop");
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let text = page(&Draft::of(&Folder::at(&folder)));
    let spec = tandem_core::spec::read(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    assert!(tandem_core::spec::show(&text).is_ok());
    (text, spec)
}

#[test]
fn the_command_is_found_in_what_is_there() {
    for (files, command) in [
        (&[][..], "bin/server --port $PORT"),
        (&[("Procfile", "worker: x\nweb: puma -p ${PORT}\n")], "puma -p ${PORT}"),
        (&[("Procfile", "web: cd a && b")], "sh -c cd a && b"),
        (&[("package.json", r#"{"scripts": {"start": "node src/main.js"}}"#)], "node src/main.js"),
        (&[("package.json", r#"{"scripts": {"start": "vite preview"}}"#)], "npm start"),
        (&[("package.json", r#"{"main": "index.js"}"#)], "node index.js"),
        (
            &[("package.json", r#"{"dependencies": {"next": "16"}, "scripts": {"start": "next start"}}"#)],
            "node_modules/.bin/next start -H 127.0.0.1 -p $PORT",
        ),
        (&[("manage.py", ""), ("site/wsgi.py", "")], "gunicorn --bind 127.0.0.1:$PORT site.wsgi"),
        (&[("manage.py", "")], "python3 manage.py runserver --noreload 127.0.0.1:$PORT"),
        (
            &[("app.py", "from flask import Flask\nshop = Flask(__name__)\n")],
            "gunicorn --bind 127.0.0.1:$PORT app:shop",
        ),
        (&[("app/main.py", "api = FastAPI()\n")], "uvicorn --host 127.0.0.1 --port $PORT app.main:api"),
        (&[("Gemfile", "gem \"rails\"\n")], "bundle exec puma -b tcp://127.0.0.1:$PORT"),
        (&[("Gemfile", "gem 'sinatra'\n"), ("config.ru", "")], "bundle exec puma -b tcp://127.0.0.1:$PORT"),
        (
            &[("artisan", ""), ("composer.json", "laravel/octane")],
            "php artisan octane:start --host=127.0.0.1 --port=$PORT",
        ),
        (&[("mix.exs", "app: :my_shop, deps: [{:phoenix, 1}]")], "bin/my_shop start"),
        (&[("go.mod", "module example.com/team/shop/v2\n")], "./shop"),
        (&[("Cargo.toml", "[package]\nname = \"shop\"\n")], "./shop"),
        (&[("bin/a", ""), ("bin/web", "")], "bin/web"),
        (
            &[(
                "Dockerfile",
                "FROM a\nCMD x\nFROM b\nEXPOSE 3000/tcp\nENTRYPOINT [\"serve\"]\nCMD [\"-p\", \"3000\"]",
            )],
            "serve -p $PORT",
        ),
        (
            &[(
                "compose.yaml",
                "services:\n  web:\n    build: .\n    command: serve :9000\n    ports: [\"80:9000\"]\n",
            )],
            "serve :$PORT",
        ),
        (
            &[("deploy/shop.service", "[Service]\nExecStart=-/opt/shop/bin/serve --quiet\n")],
            "/opt/shop/bin/serve --quiet",
        ),
    ] {
        assert_eq!(drafted(files).1.run.command.join(" "), command, "{files:?}");
    }
}

#[test]
fn what_kamal_knows_is_taken_over() {
    let deploy = "service: Web Shop\nimage: team/shop\nservers:\n  web: [10.0.0.1]\n  job: {hosts: [10.0.0.1], cmd: bin/jobs}\n\
                  proxy:\n  ssl: true\n  host: shop.example.com\n  healthcheck: {path: /health}\n\
                  env:\n  clear: {DB_HOST: 10.0.0.2, WORKERS: 2}\n  secret: [RAILS_MASTER_KEY, \"API:OTHER\"]\n";
    let gems = "gem \"rails\"\ngem \"pg\"\n";
    let files = [
        ("config/deploy.yml", deploy),
        ("Gemfile", gems),
        ("config/credentials.yml.enc", ""),
        ("db/migrate/1_a.rb", ""),
    ];
    let (text, spec) = drafted(&files);
    assert_eq!((spec.service.as_str(), spec.run.ready.path.as_str()), ("web-shop", "/health"));
    assert_eq!(spec.listen.len(), 2, "{text}");
    assert_eq!(spec.run.env["WORKERS"], "2");
    assert_eq!(spec.run.env["API"], "env:OTHER");
    assert_eq!(spec.run.env["RAILS_ENV"], "production");
    assert!(text.contains("let systemd run `job`"), "{text}");
    assert!(text.contains("\nmigrate = [\"bin/rails\", \"db:migrate\"]"), "{text}");
}

#[test]
fn a_compose_file_tells_the_port_the_variables_and_the_number() {
    let file = "services:\n  db: {image: postgres}\n  web:\n    build: .\n    ports: [\"127.0.0.1:8000:3000\"]\n    environment:\n\
                \x20     - LOG=info\n      - API_TOKEN=abc\n      - DATABASE_URL=postgres://shop:secret@db/shop\n\
                \x20   healthcheck: {test: [CMD, curl, \"-f\", \"http://localhost:3000/live\"]}\n    deploy: {replicas: 3}\n";
    let (text, spec) = drafted(&[("docker-compose.yml", file), ("migrations/1_a.sql", "")]);
    assert_eq!((spec.listen[0].address.port(), spec.run.instances), (8000, 3));
    assert_eq!(spec.run.ready.path, "/live");
    assert_eq!(spec.run.env["LOG"], "info");
    assert!(!text.contains("abc") && !text.contains("secret@"), "no secret is copied:\n{text}");
    assert!(text.contains("not Tandem's to run: `db`"), "{text}");
    assert!(
        text.contains("\nurl = \"env:DATABASE_URL\"") && text.contains("\nmigrations = \"migrations\""),
        "{text}"
    );
}

#[test]
fn a_database_that_nobody_names_is_a_remark() {
    let (text, spec) =
        drafted(&[("manage.py", ""), ("shop/settings.py", "ENGINE = 'django.db.backends.sqlite3'")]);
    assert!(text.contains("\n# migrate = [\"python3\", \"manage.py\""), "{text}");
    assert!(spec.database.url.is_none());
    let (text, _) =
        drafted(&[("manage.py", ""), ("shop/settings.py", "ENGINE = 'django.db.backends.postgresql'")]);
    assert!(text.contains("\nmigrate = [\"python3\", \"manage.py\""), "{text}");
}

#[test]
fn migrations_are_found_where_tools_keep_them() {
    for (file, folder) in [
        ("db/migrations/20260101_a.sql", "db/migrations"),
        ("prisma/migrations/1_init/migration.sql", "prisma/migrations"),
        ("migrations/2026_a/up.sql", "migrations"),
        ("src/main/resources/db/migration/V1__a.sql", "src/main/resources/db/migration"),
    ] {
        let (text, _) = drafted(&[(file, ""), (".env.example", "DATABASE_URL=\n")]);
        assert!(text.contains(&format!("\nmigrations = \"{folder}\"")), "{file}: {text}");
    }
    for (files, command) in [
        (
            &[("alembic.ini", "postgresql://"), ("main.py", "app = FastAPI()")][..],
            "\"alembic\", \"upgrade\", \"head\"",
        ),
        (
            &[("package.json", r#"{"main": "a.js", "dependencies": {"knex": "1", "pg": "8"}}"#)],
            "\"migrate:latest\"",
        ),
        (
            &[("mix.exs", "app: :shop, :phoenix :postgrex"), ("priv/repo/migrations/1.exs", "")],
            "\"Shop.Release.migrate\"",
        ),
        (
            &[("Procfile", "web: a\nrelease: rake db:migrate"), ("Gemfile", "'pg'")],
            "\"rake\", \"db:migrate\"",
        ),
    ] {
        let (text, _) = drafted(files);
        let line = text.lines().find(|line| line.starts_with("migrate ")).unwrap_or_else(|| panic!("{text}"));
        assert!(line.contains(command), "{line}");
    }
}

#[test]
fn what_makes_no_sense_is_passed_over() {
    let (_, spec) = drafted(&[
        ("package.json", "{"),
        ("compose.yaml", "a: [b"),
        ("config/deploy.yml", "%%%"),
        ("Dockerfile", "CMD"),
        ("Procfile", "web:\n\u{7f}"),
        ("x.service", "[Unit]"),
    ]);
    assert_eq!(spec.run.command.join(" "), "bin/server --port $PORT");
}
