import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { freeAddress, type ServerProcess, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

const secret = 's'.repeat(32);
const [app, rs] = [basic('app', secret), basic('rs', secret)];

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a process that is stopped by SIGSTOP and wakes, on $name',
  (kind) => {
    it('knows at its first answers what was revoked and made meanwhile: keys, tokens, secrets', {
      timeout: 90_000,
    }, async () => {
      const store = await kind.make();
      const addresses = [await freeAddress(), await freeAddress()] as const;
      const env = { ...store.env, ISSUER: `http://127.0.0.1:${addresses[0].port}` };
      const awake = await startProcess(env, addresses[0]);
      const paused = await startProcess(env, addresses[1]);
      const admin = async (method: string, path: string, body?: object) =>
        fetch(`${awake.adminUrl}/${path}`, {
          method,
          headers: {
            authorization: `Bearer ${adminToken}`,
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
      const key = await testKey();
      await admin('POST', 'resource-servers', {
        audience: 'https://rs.example.com',
        client_id: 'rs',
        client_secret: secret,
      });
      await admin('POST', 'clients', { client_id: 'app', client_secret: secret });
      await admin('POST', 'clients', { client_id: 'lost', client_secret: secret });
      const post = async (
        { url }: ServerProcess,
        path: string,
        authorization: string,
        form: Record<string, string>,
        dpop?: string,
      ) =>
        fetch(`${url}${path}`, {
          method: 'POST',
          headers: {
            authorization,
            'content-type': 'application/x-www-form-urlencoded',
            ...(dpop !== undefined && { dpop }),
          },
          body: formBody(form),
        });
      const ask = async (server: ServerProcess, authorization = app) => {
        const dpop = await key.proof({
          iat: Math.floor(Date.now() / 1000),
          htu: `${awake.url}/token`,
        });
        return post(server, '/token', authorization, { grant_type: 'client_credentials' }, dpop);
      };
      const tokenOf = async (server: ServerProcess) =>
        ((await (await ask(server)).json()) as { access_token: string }).access_token;
      const active = async (server: ServerProcess, token: string) =>
        ((await (await post(server, '/introspect', rs, { token })).json()) as { active: boolean })
          .active;
      const kidOf = (token: string) => String(decodeProtectedHeader(token).kid);

      const before = await tokenOf(paused);
      const given = await tokenOf(awake);
      expect([
        await active(paused, before),
        await active(paused, given),
        (await ask(paused, basic('lost', secret))).status,
      ]).toEqual([true, true, 200]);

      paused.child.kill('SIGSTOP');
      expect((await post(awake, '/revoke', app, { token: given })).status).toBe(200);
      expect((await admin('PATCH', 'clients/lost', { disabled: true })).status).toBe(200);
      expect((await admin('POST', `signing-keys/${kidOf(before)}/revoke`)).status).toBe(204);
      const [after, back] = [await tokenOf(awake), await tokenOf(awake)];
      await sleep(4000);
      // In its sockets before it wakes: answered before any round of its own.
      const asked = Promise.all([
        tokenOf(paused),
        active(paused, before),
        active(paused, given),
        active(paused, after),
        post(paused, '/revoke', app, { token: back }),
        ask(paused, basic('lost', secret)),
      ]);
      await sleep(200);
      paused.child.kill('SIGCONT');
      const [own, old, revoked, fresh, returned, refused] = await asked;
      const { keys } = (await (await fetch(`${awake.url}/jwks`)).json()) as JSONWebKeySet;
      expect(keys.map(({ kid }) => kid)).toContain(kidOf(own));
      expect({ old, revoked, fresh, returned: returned.status, refused: refused.status }).toEqual({
        old: false,
        revoked: false,
        fresh: true,
        returned: 200,
        refused: 401,
      });
      expect([await active(awake, back), await active(paused, back)]).toEqual([false, false]);
      await Promise.all([awake, paused].map(async (process) => process.end('SIGTERM')));
      await store.remove();
    });
  },
);
