"""A WebSub hub of flask-websub, run by its own interpreter: `python websub_hub.py PORT`. POST /publish?topic=… says that it changed."""

# mypy: ignore-errors

import sys

from celery import Celery
from flask import Flask, request
from flask_websub.hub import Hub, SQLite3HubStorage

app = Flask(__name__)
celery = Celery("hub", broker="memory://")
celery.conf.task_always_eager = True
hub = Hub(SQLite3HubStorage("hub.sqlite3"), celery)
app.register_blueprint(hub.build_blueprint(url_prefix="/hub"))


@app.route("/publish", methods=["POST"])
def publish() -> str:
    hub.send_change_notification.delay(request.args["topic"])
    return "said"


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
