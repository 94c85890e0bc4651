import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand, runCommandHere } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A folder with a configuration file, and the environment that names it. */
function declaring(text: string) {
  const at = scratchFolder();
  ends.push(() => rmSync(at, { recursive: true, force: true }));
  const file = join(at, 'holdfast.yaml');
  writeFileSync(file, text);
  return {
    at,
    file,
    env: { CONFIG_FILE: file, PORT: '0', ADMIN_PORT: '0', SECRET: 's'.repeat(32) },
  };
}

const faulty = `resource_servers:
  - audience: https://api.example.com
    access_token_lifetime: 604000
  - audience: https://api.example.com
clients:
  - client_id: a
    client_secret: \${SECRET}
  - client_id: a
    client_secret: \${SECRET}
  - client_id: b
    token_endpoint_auth_method: private_key_jwt
  - client_id: c
    token_endpoint_auth_method: private_key_jwt
    jwks_uri: https://127.0.0.1/jwks
    client_secret: \${SECRET}
  - client_id: d
    scoop: read
trusted_issuers:
  - issuer: https://i.example.com
authorization_servers:
  - issuer: https://o.example.com
    clients: [{ client_id: a, remote_client_id: x }, { client_id: a, remote_client_id: y }]
pairings:
  - { requester: a, holder: a }
`;

describe('holdfast validate-config', () => {
  it('reports every fault for which the server would stop', async () => {
    const { at, file, env } = declaring(faulty);
    const options = { env };
    const started = await runCommand(at, ['serve', '--data-directory', join(at, 'd')], options);
    const checked = await runCommandHere(at, ['validate-config', '--json'], options);
    expect([started.code, checked.code]).toEqual([5, 5]);
    const { faults } = JSON.parse(checked.stdout) as { faults: string[] };
    expect(started.stderr.split('\n').filter((line) => line.startsWith(file))).toEqual(faults);
    expect(faults.map((fault) => fault.slice(file.length))).toEqual([
      ':3:5 resource_servers[0].access_token_lifetime: access_token_lifetime is above the maximum',
      ':4:5 resource_servers[1].audience: this audience is already declared at resource_servers[0], on line 2',
      ':8:5 clients[1].client_id: this client_id is already declared at clients[0], on line 6',
      ':10:5 clients[2].jwks: this token_endpoint_auth_method needs jwks or jwks_uri',
      ':14:5 clients[3].jwks_uri: nothing is fetched from the host of jwks_uri: it is not public, or not in ASCII',
      ':15:5 clients[3].client_secret: a client with this token_endpoint_auth_method has no secret',
      ':17:5 clients[4].scoop: the member is unknown; the nearest known member is scope',
      ':19:5 trusted_issuers[0].audience: ID tokens need the audience that the app is there',
      ':22:5 authorization_servers[0].clients: a client is listed twice',
      ':24:21 pairings[0].holder: a client cannot be paired with itself',
    ]);
  });

  it('checks with the limits of the environment', async () => {
    const { at, env } = declaring(
      'resource_servers: [{ audience: https://api.example.com, access_token_lifetime: 604000 }]',
    );
    const more = { env: { ...env, ACCESS_TOKEN_MAX_LIFETIME: '604800' } };
    expect((await runCommandHere(at, ['validate-config'], more)).code).toBe(0);
  });

  it('warns of a client without a secret, because the server may have it already', async () => {
    const { at, file, env } = declaring('clients:\n  - client_id: a\n');
    const { code, stderr } = await runCommandHere(at, ['validate-config'], { env });
    expect([code, stderr]).toEqual([
      0,
      `warning: ${file}:2:5 clients[0].client_secret: there is none: the server must have this client already\n`,
    ]);
  });
});
