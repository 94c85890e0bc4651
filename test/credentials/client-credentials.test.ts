import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { testKey } from '../support/keys.ts';
import { openReplicas, type Replicas } from '../support/replicas.ts';
import { basic, formBody, startOfTime, type TestServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  clientSecret,
  outcomeOf,
  seconds,
  type TokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'client credentials are replaced without a gap, on $name',
  (kind) => {
    const clock = { now: startOfTime };
    const env = { CLIENT_CERTIFICATE_HEADER: 'rfc9440', TRUSTED_PROXIES: '127.0.0.0/8, ::1/128' };
    let fixture: TokenEndpointFixture;
    let replica: TestServer;
    let close: Replicas['close'];
    beforeAll(async () => {
      ({ fixture, replica, close } = await openReplicas(kind, { clock, env }));
    });
    afterAll(async () => close());
    const admin = async (method: string, path: string, body?: object) =>
      fixture.server.admin(method, path, body);
    const proof = async () => fixture.key.proof({ iat: Math.floor(clock.now / 1000) });
    const status = async (server: TestServer, clientId: string, secret: string) =>
      (
        await server.post(
          '/token',
          { grant_type: 'client_credentials' },
          { authorization: basic(clientId, secret), dpop: await proof() },
        )
      ).status;
    const introspects = async (clientId: string, secret: string) =>
      (
        await fixture.server.post(
          '/introspect',
          { token: 'x' },
          { authorization: basic(clientId, secret) },
        )
      ).status;

    it('a second secret works beside the first; the first ends when it was told to; no answer shows a hash', async () => {
      await admin('POST', 'clients', { client_id: 'rotating', client_secret: clientSecret });
      const { status: made, body } = await admin('POST', 'clients/rotating/secrets', {});
      expect([made, Object.keys(body).sort()]).toEqual([
        201,
        ['client_secret', 'created_at', 'id'],
      ]);
      expect([
        await status(fixture.server, 'rotating', clientSecret),
        await status(fixture.server, 'rotating', body.client_secret),
      ]).toEqual([200, 200]);
      const [old] = (await admin('GET', 'clients/rotating/secrets')).body.items;
      const end = seconds + 100;
      expect(
        (await admin('PATCH', `clients/rotating/secrets/${old.id}`, { expires_at: end })).body,
      ).toEqual({ ...old, expires_at: end });
      clock.now = end * 1000 - 1;
      expect(await status(fixture.server, 'rotating', clientSecret)).toBe(200);
      clock.now = end * 1000;
      expect([
        await status(fixture.server, 'rotating', clientSecret),
        await status(fixture.server, 'rotating', body.client_secret),
      ]).toEqual([401, 200]);
      expect((await admin('GET', 'clients/rotating/secrets')).body.items).toMatchObject([
        { id: old.id, created_at: seconds, expires_at: end },
        { id: body.id, created_at: seconds },
      ]);
      // The one that has ended counts for nothing: this is the last.
      expect((await admin('DELETE', `clients/rotating/secrets/${body.id}`)).status).toBe(409);
    });
    it('a secret that is deleted fails here at once, on the other replica within a second', async () => {
      await admin('POST', 'clients', { client_id: 'leaking', client_secret: clientSecret });
      const { body } = await admin('POST', 'clients/leaking/secrets', {});
      expect(await status(replica, 'leaking', clientSecret)).toBe(200);
      const [leaked] = (await admin('GET', 'clients/leaking/secrets')).body.items;
      expect((await admin('DELETE', `clients/leaking/secrets/${leaked.id}`)).status).toBe(204);
      expect(await status(fixture.server, 'leaking', clientSecret)).toBe(401);
      await sleep(1000);
      expect([
        await status(replica, 'leaking', clientSecret),
        await status(replica, 'leaking', body.client_secret),
      ]).toEqual([401, 200]);
      const { items } = (await admin('GET', 'audit-events?client_id=leaking&limit=200')).body;
      // The clock stands still: entries of one moment come in any order.
      const types = items
        .map(({ type }: { type: string }) => type)
        .filter((type: string) => type.startsWith('client_secret'));
      expect(types.sort()).toEqual(['client_secret_created', 'client_secret_deleted']);
    });
    it('secrets added at the same time are all there; a sixth is refused', async () => {
      await admin('POST', 'clients', { client_id: 'busy', client_secret: clientSecret });
      const answers = await Promise.all(
        Array.from({ length: 4 }, async () => admin('POST', 'clients/busy/secrets', {})),
      );
      expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201, 201]);
      for (const { body } of answers)
        expect(await status(fixture.server, 'busy', body.client_secret)).toBe(200);
      expect((await admin('POST', 'clients/busy/secrets', {})).status).toBe(409);
    });
    it.each([
      ['an end that is past', 'app', { expires_at: seconds }, 400],
      ['a short secret', 'app', { client_secret: 'x'.repeat(31) }, 400],
      ['the same secret again', 'app', { client_secret: clientSecret }, 409],
      ['a secret for private_key_jwt', 'signer', {}, 409],
      ['a secret for nobody', 'nobody', {}, 404],
    ])('%s is refused', async (_, client, body, expected) => {
      expect((await admin('POST', `clients/${client}/secrets`, body)).status).toBe(expected);
    });
    it('a resource server introspects by both secrets until one is deleted', async () => {
      const { body: server } = await admin('POST', 'resource-servers', {
        audience: 'urn:example:rotating',
      });
      const { body: next } = await admin('POST', `resource-servers/${server.id}/secrets`, {});
      const both = async () => [
        await introspects(server.client_id, server.client_secret),
        await introspects(server.client_id, next.client_secret),
      ];
      expect(await both()).toEqual([200, 200]);
      const [old] = (await admin('GET', `resource-servers/${server.id}/secrets`)).body.items;
      expect(
        (await admin('DELETE', `resource-servers/${server.id}/secrets/${old.id}`)).status,
      ).toBe(204);
      expect(await both()).toEqual([401, 200]);
    });
    it('two registered keys overlap; the one that is taken out fails', async () => {
      const keys = [await testKey(), await testKey()] as const;
      const members = { token_endpoint_auth_method: 'private_key_jwt', client_id: 'keyed' };
      const listed = (...some: (typeof keys)[number][]) => ({
        jwks: { keys: some.map(({ jwk, jkt }) => ({ ...jwk, kid: jkt })) },
      });
      await admin('POST', 'clients', { ...members, ...listed(keys[0]) });
      await admin('PATCH', 'clients/keyed', listed(...keys));
      const both = async () => {
        const at = Math.floor(clock.now / 1000);
        const statuses: number[] = [];
        for (const key of keys) {
          const assertion = await key.assertion(
            'keyed',
            { iat: at, exp: at + 60 },
            { kid: key.jkt },
          );
          statuses.push(
            (
              await fixture.server.post(
                '/token',
                assertionForm(assertion, { resource: audience }),
                {
                  dpop: await proof(),
                },
              )
            ).status,
          );
        }
        return statuses;
      };
      expect(await both()).toEqual([200, 200]);
      await admin('PATCH', 'clients/keyed', listed(keys[1]));
      expect(await both()).toEqual([401, 200]);
    });
    it('a self-signed certificate is renewed ahead of time', async () => {
      const certificates = [await certificate(), await certificate()] as const;
      const listed = (...some: TestCertificate[]) => ({
        jwks: { keys: some.map(({ jwk, der }) => ({ ...jwk, x5c: [der.toString('base64')] })) },
      });
      await admin('POST', 'clients', {
        client_id: 'tls',
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        ...listed(certificates[0]),
      });
      const outcomes = async () => {
        const seen: string[] = [];
        for (const { der } of certificates) {
          const fields = [
            ['client-cert', `:${der.toString('base64')}:`],
            ['dpop', await proof()],
          ] as const;
          seen.push(
            outcomeOf(
              await fixture.send({
                form: formBody({
                  grant_type: 'client_credentials',
                  client_id: 'tls',
                  resource: audience,
                }),
                authorization: null,
                dpop: null,
                fields,
              }),
            ).slice(0, 3),
          );
        }
        return seen;
      };
      expect(await outcomes()).toEqual(['200', '401']);
      await admin('PATCH', 'clients/tls', listed(...certificates));
      expect(await outcomes()).toEqual(['200', '200']);
      await admin('PATCH', 'clients/tls', listed(certificates[1]));
      expect(await outcomes()).toEqual(['401', '200']);
    });
  },
);
