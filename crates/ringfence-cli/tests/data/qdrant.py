"""An adapter: Qdrant's REST interface over Qdrant's own engine in this process (`qdrant-edge-py`).

No package carries the server. The engine is the vendor's, so scrolls, filters, upserts, payloads and vectors are as the server has them; each
request is read by the models that the vendor generates from the interface's OpenAPI description (`qdrant-client`), which refuse unknown
fields. What is made here: routes, collections as folders, aliases, keys, statuses.

    qdrant.py PORT FOLDER [KEY READ_ONLY_KEY]

Each request is noted in FOLDER/requests, a line each: the method and the path.
"""

import json
import os
import shutil
import sys
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import qdrant_edge as edge
from pydantic import TypeAdapter, ValidationError
from qdrant_client.http import models

PORT, FOLDER, *KEYS = sys.argv[1:]
LOCK = threading.Lock()
COLLECTIONS, ALIASES = {}, {}
DATATYPES = {"float32": "Float32", "float16": "Float16", "uint8": "Uint8"}


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Collection:
    def __init__(self, name, request):
        self.request = request
        self.schema = {}
        self.folder = os.path.join(FOLDER, urllib.parse.quote(name, safe=""))
        shutil.rmtree(self.folder, ignore_errors=True)
        vectors = request.vectors
        many = isinstance(vectors, dict)
        config = {key: params(value) for key, value in vectors.items()} if many else vectors and params(vectors)
        sparse = {key: edge.EdgeSparseVectorParams() for key in request.sparse_vectors or {}}
        self.shard = edge.EdgeShard.create(
            self.folder, edge.EdgeConfig(vectors=config or None, sparse_vectors=sparse or None)
        )

    def info(self):
        request = self.request
        return models.CollectionInfo(
            status="green",
            optimizer_status="ok",
            segments_count=1,
            points_count=self.count(None),
            indexed_vectors_count=0,
            config=models.CollectionConfig(
                params=models.CollectionParams(
                    vectors=request.vectors,
                    sparse_vectors=request.sparse_vectors,
                    shard_number=request.shard_number or 1,
                    replication_factor=1,
                    write_consistency_factor=1,
                    on_disk_payload=request.on_disk_payload is not False,
                ),
                hnsw_config=models.HnswConfig(
                    m=(request.hnsw_config and request.hnsw_config.m) or 16,
                    ef_construct=100,
                    full_scan_threshold=10000,
                ),
                optimizer_config=models.OptimizersConfig(
                    deleted_threshold=0.2,
                    vacuum_min_vector_number=1000,
                    default_segment_number=0,
                    flush_interval_sec=5,
                ),
                wal_config=models.WalConfig(wal_capacity_mb=32, wal_segments_ahead=0),
            ),
            payload_schema=self.schema,
        )

    def count(self, filter):
        return self.shard.count(edge.CountRequest(exact=True, filter=filter))


def params(value):
    datatype = value.datatype and getattr(edge.VectorStorageDatatype, DATATYPES[value.datatype.value])
    return edge.EdgeVectorParams(
        size=value.size, distance=getattr(edge.Distance, value.distance.value), datatype=datatype
    )


def filter_of(filter):
    """As many of the filter's words as the tests use; others are refused and not passed over."""
    if filter is None:
        return None
    parts = filter.model_dump(exclude_none=True)
    return edge.Filter(**{word: [condition(one) for one in listed(parts[word])] for word in parts})


def listed(value):
    return value if isinstance(value, list) else [value]


def condition(one):
    if set(one) == {"key", "match"} and set(one["match"]) == {"value"}:
        return edge.FieldCondition(one["key"], match=edge.MatchValue(one["match"]["value"]))
    if set(one) == {"key", "match"} and set(one["match"]) == {"any"}:
        return edge.FieldCondition(one["key"], match=edge.MatchAny(one["match"]["any"]))
    if set(one) == {"key", "range"}:
        return edge.FieldCondition(one["key"], range=edge.RangeFloat(**one["range"]))
    raise Refused(400, "the adapter knows no such condition")


def point_id(value):
    return uuid.UUID(value) if isinstance(value, str) else value


def vector_of(value):
    if isinstance(value, dict):
        return {name: vector_of(one) for name, one in value.items()}
    if isinstance(value, models.SparseVector):
        return edge.SparseVector(indices=value.indices, values=value.values)
    return value


def vector_said(value):
    if isinstance(value, dict):
        return {name: vector_said(one) for name, one in value.items()}
    if isinstance(value, edge.SparseVector):
        return {"indices": value.indices, "values": value.values}
    return value


def record(point):
    said = str(point.id) if isinstance(point.id, uuid.UUID) else point.id
    return models.Record(id=said, payload=point.payload, vector=vector_said(point.vector))


def found(name):
    collection = COLLECTIONS.get(ALIASES.get(name, name))
    if collection is None:
        raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
    return collection


def make(name, body):
    if name in COLLECTIONS or name in ALIASES:
        raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
    COLLECTIONS[name] = Collection(name, models.CreateCollection(**body))
    return True


def drop(name):
    if name in COLLECTIONS:
        COLLECTIONS[name].shard.close()
        shutil.rmtree(COLLECTIONS.pop(name).folder)
        for alias in [alias for alias, of in ALIASES.items() if of == name]:
            del ALIASES[alias]
        return True
    return False


def change_aliases(body):
    changed = dict(ALIASES)
    for action in models.ChangeAliasesOperation(**body).actions:
        if isinstance(action, models.CreateAliasOperation):
            alias, of = action.create_alias.alias_name, action.create_alias.collection_name
            if alias in COLLECTIONS:
                raise Refused(409, f"Wrong input: Collection `{alias}` already exists!")
            if of not in COLLECTIONS:
                raise Refused(404, f"Not found: Collection `{of}` doesn't exist!")
            changed[alias] = of
        elif isinstance(action, models.DeleteAliasOperation):
            changed.pop(action.delete_alias.alias_name, None)
        else:
            raise Refused(400, "the adapter renames no alias")
    ALIASES.clear()
    ALIASES.update(changed)
    return True


def upsert(name, body):
    points = TypeAdapter(models.PointsList).validate_python(body).points
    points = [edge.Point(id=point_id(p.id), vector=vector_of(p.vector), payload=p.payload) for p in points]
    found(name).shard.update(edge.UpdateOperation.upsert_points(points))
    return {"operation_id": 0, "status": "completed"}


def index(name, body):
    request = models.CreateFieldIndex(**body)
    given = request.field_schema
    kind = getattr(given, "type", given)
    shard = found(name).shard
    shard.update(edge.UpdateOperation.create_field_index(request.field_name, getattr(edge.PayloadSchemaType, kind.value.title())))
    parameters = given if hasattr(given, "type") else None
    found(name).schema[request.field_name] = models.PayloadIndexInfo(data_type=kind.value, params=parameters, points=0)
    return {"operation_id": 0, "status": "completed"}


def scroll(name, body):
    request = models.ScrollRequest(**body)
    points, following = found(name).shard.scroll(
        edge.ScrollRequest(
            offset=None if request.offset is None else point_id(request.offset),
            limit=request.limit or 10,
            filter=filter_of(request.filter),
            with_payload=True if request.with_payload is None else request.with_payload,
            with_vector=request.with_vector or False,
        )
    )
    following = str(following) if isinstance(following, uuid.UUID) else following
    return {"points": [record(point) for point in points], "next_page_offset": following}


def retrieve(name, body):
    request = models.PointRequest(**body)
    ids = [point_id(one) for one in request.ids]
    given = True if request.with_payload is None else request.with_payload
    return [record(point) for point in found(name).shard.retrieve(ids, given, request.with_vector or False)]


def nearest(name, body):
    request = models.QueryRequest(**body)
    query = edge.Query.Nearest(getattr(request.query, "nearest", request.query), using=request.using)
    points = found(name).shard.search(edge.SearchRequest(query=query, limit=request.limit, offset=0, with_payload=True))
    said = [{"id": str(p.id) if isinstance(p.id, uuid.UUID) else p.id, "version": 0, "score": p.score, "payload": p.payload} for p in points]
    return {"points": said}


def answer(method, parts, body):
    match method, parts:
        case "GET", ["collections"]:
            return {"collections": [{"name": name} for name in COLLECTIONS]}
        case "GET", ["aliases"]:
            return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in ALIASES.items()]}
        case "POST", ["collections", "aliases"]:
            return change_aliases(body)
        case "GET", ["collections", name]:
            return found(name).info()
        case "PUT", ["collections", name]:
            return make(name, body)
        case "DELETE", ["collections", name]:
            return drop(name)
        case "PUT", ["collections", name, "index"]:
            return index(name, body)
        case "PUT", ["collections", name, "points"]:
            return upsert(name, body)
        case "POST", ["collections", name, "points"]:
            return retrieve(name, body)
        case "POST", ["collections", name, "points", "scroll"]:
            return scroll(name, body)
        case "POST", ["collections", name, "points", "query"]:
            return nearest(name, body)
        case "POST", ["collections", name, "points", "count"]:
            request = models.CountRequest(**body)
            return {"count": found(name).count(filter_of(request.filter))}
        case "GET", ["collections", name, "points", one]:
            points = found(name).shard.retrieve([point_id(int(one) if one.isdigit() else one)], True, True)
            if not points:
                raise Refused(404, "Not found: Point")
            return record(points[0])
    raise Refused(404, "")


def reads(method, parts):
    return method == "GET" or parts[3:] in ([], ["scroll"], ["query"], ["count"]) and method == "POST" and parts[1:] != ["aliases"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        path = urllib.parse.urlsplit(self.path).path
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        try:
            if KEYS and self.headers.get("api-key") not in KEYS:
                raise Refused(401, "Must provide an API key or an Authorization bearer token")
            if KEYS and self.headers.get("api-key") == KEYS[1] and not reads(self.command, parts):
                raise Refused(403, "Forbidden: Write access required")
            with LOCK:
                with open(os.path.join(FOLDER, "requests"), "a") as requests:
                    print(self.command, path, file=requests)
                status, said = 200, {"result": answer(self.command, parts, json.loads(body or b"{}")), "status": "ok", "time": 0.001}
        except Refused as error:
            status, said = error.status, {"status": {"error": str(error)}, "time": 0.001}
        except (ValidationError, ValueError, edge.EdgeError if hasattr(edge, "EdgeError") else ValueError) as error:
            status, said = 400, {"status": {"error": f"Format error in JSON body: {error}"}, "time": 0.001}
        except Exception as error:
            status, said = 500, {"status": {"error": f"Service internal error: {error}"}, "time": 0.001}
        text = json.dumps(said, default=lambda value: value.model_dump(mode="json")).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = handle_one

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
