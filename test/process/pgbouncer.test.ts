import { describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { needs } from '../support/left-out.ts';
import { pgbouncer } from '../support/pgbouncer.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { adminToken, basic, formBody } from '../support/server.ts';
import { onPostgresqlServer } from '../support/stores.ts';

const secret = 's'.repeat(32);
const json = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };

describe.skipIf(!needs.pgbouncer.isHere(process.env))(
  'two processes behind a real PgBouncer in transaction mode',
  () => {
    it('migrate, register, issue, introspect and revoke as on a connection of their own', {
      timeout: 90_000,
    }, async () => {
      const store = await onPostgresqlServer.make();
      // Fewer connections than the two processes have: statements change them all the time.
      const pooler = await pgbouncer(store.env['DATABASE_URL'] ?? '', 4);
      const addresses = [await freeAddress(), await freeAddress()];
      const env = {
        ...store.env,
        DATABASE_URL: pooler.through(store.env['DATABASE_URL'] ?? ''),
        DATABASE_PREPARED_STATEMENTS: 'false',
        ISSUER: `http://127.0.0.1:${addresses[0]?.port}`,
      };
      const processes = await Promise.all(
        addresses.map(async (address) => startProcess(env, address)),
      );
      const [first] = processes;
      const admin = async (path: string, body: object) => {
        const { status } = await fetch(`${first?.adminUrl}/${path}`, {
          method: 'POST',
          headers: json,
          body: JSON.stringify(body),
        });
        return status;
      };
      const post = async (
        index: number,
        path: string,
        form: Record<string, string>,
        headers: Record<string, string>,
      ) => {
        const response = await fetch(`${processes[index % 2]?.url}/${path}`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
          body: formBody(form),
        });
        return {
          status: response.status,
          body: (await response
            .text()
            .then((text) => (text === '' ? {} : JSON.parse(text)))) as Record<string, unknown>,
        };
      };
      const registered = [
        await admin('resource-servers', {
          audience: 'https://rs.example.com',
          client_id: 'rs',
          client_secret: secret,
        }),
        await admin('clients', { client_id: 'app', client_secret: secret }),
      ];
      const key = await testKey();
      const token = async (index: number) => {
        const dpop = await key.proof({
          iat: Math.floor(Date.now() / 1000),
          htu: `${env.ISSUER}/token`,
        });
        return post(
          index,
          'token',
          { grant_type: 'client_credentials' },
          { authorization: basic('app', secret), dpop },
        );
      };
      const issued = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => token(index)),
      );
      const introspected = async (index: number) => {
        const answer = await post(
          index,
          'introspect',
          { token: String(issued[index]?.body['access_token']) },
          { authorization: basic('rs', secret) },
        );
        return `${answer.status} ${String(answer.body['active'])}`;
      };
      const before = await Promise.all(issued.map(async (_, index) => introspected(index)));
      const revoked = await post(
        0,
        'revoke',
        { token: String(issued[1]?.body['access_token']) },
        { authorization: basic('app', secret) },
      );
      const after = [await introspected(0), await introspected(1)];
      const codes = await Promise.all(processes.map(async (process) => process.end('SIGTERM')));
      await pooler.end();
      await store.remove();
      expect(registered).toEqual([201, 201]);
      expect(issued.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 200));
      expect(before).toEqual(Array.from({ length: 60 }, () => '200 true'));
      expect([revoked.status, after]).toEqual([200, ['200 true', '200 false']]);
      expect(codes).toEqual([0, 0]);
    });
  },
);
