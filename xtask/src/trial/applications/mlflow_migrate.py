"""mlflow's own way to its tables: made at first, upgraded later (`mlflow db upgrade` takes no empty database)."""

import os

import sqlalchemy
from mlflow.store.db import utils

engine = utils.create_sqlalchemy_engine(os.environ["DATABASE_URL"])
if sqlalchemy.inspect(engine).has_table("experiments"):
    utils._upgrade_db(engine)
else:
    utils._initialize_tables(engine)
