# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
A small honest server of the Hub's endpoints that a push uses, on loopback.

It stores what it is given: repositories with branches, tags and commits. Large files come as LFS
objects, whose size and hash it checks. It is NOT the Hub, whose rules are many more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading

from flask import Flask, jsonify, request
from ruamel.yaml import YAML
from werkzeug.serving import make_server

TOKEN = 'hf_test'
# The Hub decides by content; here size alone does.
_LARGE_BYTES = 4096


class HubServer:
    """A server with the user `lab`; ``close`` ends it."""

    def __init__(self):
        self.repos = {}
        """By name: ``branches``, with the content of each file, and ``tags``."""
        self.objects = {}
        self.log = []
        """Method and path of each request."""
        self.fail = lambda method, path: None
        """A function that may return the status of a failure for a request."""
        app = Flask('hub')
        self._add_routes(app)
        self._server = make_server('127.0.0.1', 0, app, threaded=True)
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        self._thread = threading.Thread(target=self._server.serve_forever, name='test_hub')
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def files(self, name, revision='main'):
        repo = self.repos[name]
        return repo['tags'].get(revision) or repo['branches'][revision]

    def _add_routes(self, app):
        @app.before_request
        def look():
            self.log.append((request.method, request.path))
            if status := self.fail(request.method, request.path):
                return jsonify(error='told to fail'), status
            is_object = request.path.startswith('/objects/')
            if not is_object and request.headers.get('Authorization') != f'Bearer {TOKEN}':
                return jsonify(error='Invalid credentials'), 401
            return None

        add = app.add_url_rule
        api = '/api/datasets/<owner>/<name>'
        add('/api/whoami-v2', view_func=lambda: jsonify(name='lab', type='user', orgs=[]))
        add('/api/validate-yaml', view_func=self._validate, methods=['POST'])
        add('/api/repos/create', view_func=self._create, methods=['POST'])
        add(api, view_func=self._info)
        add(f'{api}/revision/<path:revision>', view_func=self._info)
        add(f'{api}/tree/<path:revision>', view_func=self._tree)
        add(f'{api}/branch/<branch>', view_func=self._branch, methods=['POST'])
        add(f'{api}/tag/<path:revision>', view_func=self._tag, methods=['POST', 'DELETE'])
        add(f'{api}/preupload/<path:revision>', view_func=self._preupload, methods=['POST'])
        add(f'{api}/commit/<path:revision>', view_func=self._commit, methods=['POST'])
        batch = '/datasets/<owner>/<name>.git/info/lfs/objects/batch'
        add(batch, view_func=self._batch, methods=['POST'])
        add('/objects/<oid>', view_func=self._put, methods=['PUT'])

    def _validate(self):
        head = request.json['content'].partition('---\n')[2].partition('---\n')[0]
        card = YAML(typ='safe').load(head)
        errors = [] if card.get('license') else [{'message': 'a license is missing'}]
        return jsonify(errors=errors, warnings=[]), 400 if errors else 200

    def _repo(self, owner, name):
        return self.repos.get(f'{owner}/{name}')

    def _create(self):
        owner, name = request.json.get('organization') or 'lab', request.json['name']
        full = f'{owner}/{name}'
        address = f'{self.url}/datasets/{full}'
        if full in self.repos:
            return jsonify(error='You already created this dataset repo', url=address), 409
        is_private = request.json.get('private') or request.json.get('visibility') == 'private'
        repo = {'branches': {'main': {}}, 'tags': {}, 'private': is_private}
        self.repos[full] = repo
        return jsonify(url=address, name=full)

    def _info(self, owner, name, revision='main'):
        repo = self._repo(owner, name)
        if repo is None:
            return _missing('Repository Not Found', 'RepoNotFound')
        files = repo['branches'].get(revision, repo['tags'].get(revision))
        if files is None:
            return _missing('Revision Not Found', 'RevisionNotFound')
        siblings = [{'rfilename': path} for path in sorted(files)]
        return jsonify(id=f'{owner}/{name}', sha='0' * 40, siblings=siblings, private=False)

    def _tree(self, owner, name, revision):
        files = self._repo(owner, name)['branches'][revision]
        return jsonify(
            [
                {'type': 'file', 'path': path, 'size': len(data), 'oid': _blob_id(data)}
                for path, data in sorted(files.items())
            ]
        )

    def _branch(self, owner, name, branch):
        branches = self._repo(owner, name)['branches']
        if branch in branches:
            return jsonify(error='Reference already exists'), 409
        branches[branch] = dict(branches['main'])
        return jsonify({})

    def _tag(self, owner, name, revision):
        repo = self._repo(owner, name)
        if request.method == 'DELETE':
            if repo['tags'].pop(revision, None) is None:
                return _missing('Tag not found', 'RevisionNotFound')
            return jsonify({})
        repo['tags'][request.json['tag']] = dict(repo['branches'][revision])
        return jsonify({})

    def _preupload(self, owner, name, revision):
        if revision not in self._repo(owner, name)['branches']:
            return _missing('Revision Not Found', 'RevisionNotFound')
        return jsonify(
            files=[
                {
                    'path': one['path'],
                    'uploadMode': 'lfs' if one['size'] >= _LARGE_BYTES else 'regular',
                    'shouldIgnore': False,
                    'oid': None,
                }
                for one in request.json['files']
            ]
        )

    def _batch(self, owner, name):
        return jsonify(
            transfer='basic',
            objects=[
                {'oid': one['oid'], 'size': one['size'], **self._actions(one['oid'])}
                for one in request.json['objects']
            ],
        )

    def _actions(self, oid):
        if oid in self.objects:
            return {}
        # An object that is there has no action.
        upload = {'href': f'{self.url}/objects/{oid}', 'header': {}}
        return {'actions': {'upload': upload}}

    def _put(self, oid):
        data = request.get_data()
        if hashlib.sha256(data).hexdigest() != oid:
            return jsonify(error='hash'), 400
        self.objects[oid] = data
        return jsonify({})

    def _commit(self, owner, name, revision):
        files = self._repo(owner, name)['branches'][revision]
        changed = dict(files)
        for line in request.get_data().splitlines():
            entry = json.loads(line)
            value = entry['value']
            if entry['key'] == 'file':
                assert value['encoding'] == 'base64'
                changed[value['path']] = base64.b64decode(value['content'])
            elif entry['key'] == 'lfsFile':
                changed[value['path']] = self.objects[value['oid']]
            elif entry['key'] == 'deletedFile':
                del changed[value['path']]
        self._repo(owner, name)['branches'][revision] = changed
        address = f'{self.url}/datasets/{owner}/{name}/commit/{"1" * 40}'
        return jsonify(success=True, commitOid='1' * 40, commitUrl=address, hookOutput='')


def _missing(text, code):
    return jsonify(error=text), 404, {'X-Error-Code': code}


def _blob_id(data):
    return hashlib.sha1(b'blob %d\0' % len(data) + data, usedforsecurity=False).hexdigest()
