import { execFile } from 'node:child_process';
import { KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { openApi } from '../support/api.ts';
import { testKey } from '../support/keys.ts';
import { python } from '../support/left-out.ts';
import { liveServer } from '../support/live-server.ts';

const root = join(import.meta.dirname, '../..');

it.skipIf(python === undefined)(
  'RFC 7523 §3: private_key_jwt by Authlib, as docs/clients/python.md says, twice',
  async () => {
    const page = readFileSync(join(root, 'docs/clients/python.md'), 'utf8');
    const [, block = ''] = /^```python\n([\s\S]*?)^```$/m.exec(page) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
    const server = await liveServer({ DPOP_NONCE: 'required' });
    const api = await openApi(server.issuer);
    const key = await testKey();
    await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
    await server.admin('POST', 'clients', {
      client_id: 'reports',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...key.jwk, kid: 'own' }] },
      scope: 'read',
    });
    const pem = KeyObject.from(key.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
    const program = join(folder, 'program.py');
    writeFileSync(
      program,
      `import sys\nsys.path.insert(0, ${JSON.stringify(join(root, 'examples/python'))})
sys.dont_write_bytecode = True
from client import dpop_session
${block}
issuer, api, pem = sys.argv[1:]
session = dpop_session(issuer, "reports", None)
with_private_key(session, issuer, pem)
for _ in range(2):
    session.fetch_token(grant_type="client_credentials", resource=api)
    print(session.get(api + "/reports").text)
`,
    );
    const { stdout } = await promisify(execFile)(python ?? '', [
      program,
      server.issuer,
      api.origin,
      pem,
    ]);
    rmSync(folder, { recursive: true });
    await api.close();
    await server.stop();
    expect(stdout.match(/"presenter":"reports"/g)).toHaveLength(2);
  },
);
