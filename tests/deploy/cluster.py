"""An API server for kubectl: keeps what it is given, if that fits the schema of its kind.

There is no node behind it: a Deployment is rolled out at once, its pods are told of, and what is
to be run in one is noted, not run. So it shows that a command is right, asks for what is there and
sends what a cluster would take; what pods do is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aiohttp import WSMsgType, web
from deploy.manifests import Yaml, faults
from deploy.wire import MEDIA_TYPE, secret_of


class Kind(NamedTuple):
    """A kind of object, as the server tells of it."""

    api: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def root(self) -> str:
        return f"/api/{self.api}" if self.api == "v1" else f"/apis/{self.api}"


KINDS = (
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Service", "services"),
    Kind("v1", "Pod", "pods"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects"),
    Kind("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications"),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
)
VERBS = ["create", "delete", "get", "list", "patch", "watch"]
Key = tuple[str, str, str]  # kind, namespace, name


class Asked(NamedTuple):
    """What was to be done in a pod."""

    what: str
    pod: str
    container: str
    words: tuple[str, ...]


class Cluster:
    """The objects of a cluster, and the answers to kubectl."""

    def __init__(self) -> None:
        self.objects: dict[Key, Yaml] = {}
        self.asked: list[Asked] = []
        self._put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/version", self._version)
        app.router.add_get("/api", self._versions)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/openapi/v3", self._documents)
        app.router.add_get("/openapi/v3/{root:.+}", self._document)
        for root in sorted({kind.root for kind in KINDS}):
            app.router.add_get(root, self._resources)
        for kind in KINDS:
            place = f"{kind.root}/namespaces/{{namespace}}" if kind.namespaced else kind.root
            many, one = f"{place}/{kind.plural}", f"{place}/{kind.plural}/{{name}}"
            app.router.add_get(many, self._list)
            app.router.add_post(many, self._create)
            app.router.add_get(one, self._get)
            app.router.add_patch(one, self._patch)
            app.router.add_delete(one, self._delete)
            if kind.kind == "Deployment":
                app.router.add_get(f"{one}/scale", self._get_scale)
                app.router.add_patch(f"{one}/scale", self._scale)
            if kind.kind == "Pod":
                app.router.add_get(f"{one}/log", self._log)
                for what in ("exec", "portforward"):
                    app.router.add_route("*", f"{one}/{what}", self._stream)
        return app

    # ---------------------------------------------------------------- what it knows of

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def _groups(self, request: web.Request) -> web.Response:
        groups = []
        for api in sorted({kind.api for kind in KINDS} - {"v1"}):
            group, _, version = api.partition("/")
            it = {"groupVersion": api, "version": version}
            groups.append({"name": group, "versions": [it], "preferredVersion": it})
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    async def _resources(self, request: web.Request) -> web.Response:
        kinds = [kind for kind in KINDS if kind.root == request.path]
        resources = [
            {"name": kind.plural, "singularName": kind.kind.lower(), "kind": kind.kind,
             "namespaced": kind.namespaced, "verbs": VERBS}
            for kind in kinds
        ]  # fmt: skip
        if any(kind.kind == "Deployment" for kind in kinds):
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            resources.append({"name": "deployments/scale", "singularName": "", "namespaced": True,
                              "verbs": ["get", "patch"], **scale})  # fmt: skip
        found = {"kind": "APIResourceList", "groupVersion": kinds[0].api, "resources": resources}
        return web.json_response(found)

    async def _documents(self, request: web.Request) -> web.Response:
        paths = {k.root[1:]: {"serverRelativeURL": f"/openapi/v3{k.root}"} for k in KINDS}
        return web.json_response({"paths": paths})

    async def _document(self, request: web.Request) -> web.Response:
        """Tell that the server checks fields: kubectl then leaves that to it."""
        asks = [{"name": name, "in": "query"} for name in ("dryRun", "fieldValidation")]
        paths = {}
        for kind in KINDS:
            if kind.root == f"/{request.match_info['root']}":
                group, _, version = kind.api.rpartition("/")
                known = {"group": group, "version": version, "kind": kind.kind}
                patch = {"x-kubernetes-group-version-kind": known, "parameters": asks}
                paths[f"{kind.root}/{kind.plural}/{{name}}"] = {"patch": patch}
        return web.json_response({"openapi": "3.0.0", "info": {"title": "", "version": ""},
                                  "paths": paths})  # fmt: skip

    # ---------------------------------------------------------------- objects

    def _kind(self, request: web.Request) -> Kind:
        return max(
            (kind for kind in KINDS if request.path.startswith(f"{kind.root}/")
             and f"/{kind.plural}" in request.path),
            key=lambda kind: request.path.rfind(f"/{kind.plural}"),
        )  # fmt: skip

    def _key(self, request: web.Request) -> Key:
        where = request.match_info.get("namespace", "")
        return self._kind(request).kind, where, request.match_info.get("name", "")

    def _put(self, item: Yaml) -> Yaml:
        meta = item["metadata"]
        key = (item["kind"], meta.get("namespace", ""), meta["name"])
        meta["uid"] = meta.get("uid", str(len(self.objects)))
        meta["generation"] = meta.get("generation", 0) + 1
        meta["resourceVersion"] = str(meta["generation"])
        if item["kind"] == "Deployment":
            self._roll_out(item)
        self.objects[key] = item
        return item

    def _roll_out(self, item: Yaml) -> None:
        meta, wanted = item["metadata"], item["spec"].get("replicas", 1)
        item["status"] = {"observedGeneration": meta["generation"]} | dict.fromkeys(
            ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted
        )
        template = item["spec"]["template"]
        gone = [k for k, pod in self.objects.items() if k[0] == "Pod" and k[1] == meta["namespace"]
                and pod["metadata"]["labels"] == template["metadata"]["labels"]]  # fmt: skip
        for key in gone:
            del self.objects[key]
        for number in range(wanted):
            name = f"{meta['name']}-{number}"
            self.objects["Pod", meta["namespace"], name] = {
                "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
                "metadata": {"name": name, "namespace": meta["namespace"],
                             "labels": template["metadata"]["labels"], "resourceVersion": "1"},
                "status": {"phase": "Running",
                           "conditions": [{"type": "Ready", "status": "True"}]},
            }  # fmt: skip

    async def _list(self, request: web.Request) -> web.StreamResponse:
        kind, where, _ = self._key(request)
        labels = _pairs(request.query.get("labelSelector", ""))
        fields = _pairs(request.query.get("fieldSelector", ""))
        found = [
            item for key, item in self.objects.items()
            if key[0] == kind and key[1] == where
            and labels.items() <= item["metadata"].get("labels", {}).items()
            and fields.get("metadata.name", key[2]) == key[2]
        ]  # fmt: skip
        if "watch" not in request.query:
            return web.json_response({
                "kind": f"{kind}List", "apiVersion": self._kind(request).api,
                "metadata": {"resourceVersion": "1"}, "items": found,
            })  # fmt: skip
        if "sendInitialEvents" in request.query:
            return _refused(400, "BadRequest", "events that happened before are not sent")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for item in found:
            await response.write(json.dumps({"type": "ADDED", "object": item}).encode() + b"\n")
        await asyncio.sleep(5)
        return response

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.read()
        item: Yaml = secret_of(body) if request.content_type == MEDIA_TYPE else json.loads(body)
        kind, where, _ = self._key(request)
        if self._kind(request).namespaced:
            if ("Namespace", "", where) not in self.objects:
                return _refused(404, "NotFound", f'namespaces "{where}" not found')
            item["metadata"]["namespace"] = where
        if wrong := list(faults([item])):
            return _refused(422, "Invalid", "; ".join(wrong))
        if (kind, where, item["metadata"]["name"]) in self.objects:
            return _refused(409, "AlreadyExists", f"{item['metadata']['name']} already exists")
        if "dryRun" not in request.query:
            self._put(item)
        return web.json_response(item, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        item = self.objects.get(self._key(request))
        if item is None:
            kind, _, name = self._key(request)
            return _refused(404, "NotFound", f'{kind} "{name}" not found')
        return web.json_response(item)

    async def _patch(self, request: web.Request) -> web.Response:
        before = self.objects.get(self._key(request))
        if before is None:
            return _refused(404, "NotFound", f"{self._key(request)} not found")
        item = _merged(before, await request.json())
        bare = {name: part for name, part in item.items() if name != "status"}
        if wrong := list(faults([bare])):
            return _refused(422, "Invalid", "; ".join(wrong))
        if "dryRun" not in request.query and item != before:
            self._put(item)
        return web.json_response(item)

    async def _delete(self, request: web.Request) -> web.Response:
        item = self.objects.pop(self._key(request), None)
        if item is None:
            return _refused(404, "NotFound", f"{self._key(request)} not found")
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    # ---------------------------------------------------------------- beside the objects

    async def _get_scale(self, request: web.Request) -> web.Response:
        return web.json_response(_scale_of(self.objects[self._key(request)]))

    async def _scale(self, request: web.Request) -> web.Response:
        item = self.objects[self._key(request)]
        wanted = (await request.json())["spec"]["replicas"]
        self._put(_merged(item, {"spec": {"replicas": wanted}}))
        return web.json_response(_scale_of(self.objects[self._key(request)]))

    async def _log(self, request: web.Request) -> web.Response:
        self._note("log", request)
        return web.Response(text="learns sensor-data/0\n")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        what = request.path.rpartition("/")[2]
        self._note(what, request)
        spoken = ("v5.channel.k8s.io", "SPDY/3.1+portforward.k8s.io")
        stream = web.WebSocketResponse(protocols=spoken)
        await stream.prepare(request)
        if what == "exec":
            await stream.send_bytes(b"\x01everything is as it should be\n")
            await stream.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
            await stream.close()
        async for message in stream:
            if message.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
                break
        return stream

    def _note(self, what: str, request: web.Request) -> None:
        container = request.query.get("container", "")
        words = tuple(request.query.getall("command", []))
        self.asked.append(Asked(what, request.match_info["name"], container, words))


def _pairs(selector: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if part)


def _scale_of(item: Yaml) -> Yaml:
    meta = {name: item["metadata"][name] for name in ("name", "namespace", "resourceVersion")}
    count = item["spec"].get("replicas", 1)
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta,
            "spec": {"replicas": count}, "status": {"replicas": count}}  # fmt: skip


def _merged(before: Yaml, change: Yaml) -> Yaml:
    """Put a change over an object: none takes away, lists are replaced."""
    merged = dict(before)
    for name, part in change.items():
        if part is None:
            merged.pop(name, None)
        elif isinstance(part, dict):
            merged[name] = _merged(merged.get(name) or {}, part)
        else:
            merged[name] = part
    return merged


def _refused(status: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
            "reason": reason, "message": message}  # fmt: skip
    return web.json_response(body, status=status)


@contextmanager
def serving(cluster: Cluster) -> Iterator[str]:
    """Serve a cluster from a thread of its own; give its address."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(cluster.app(), shutdown_timeout=0.1)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        return f"http://{host}:{port}"

    address = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, name="cluster")
    thread.start()
    try:
        yield address
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        loop.close()
