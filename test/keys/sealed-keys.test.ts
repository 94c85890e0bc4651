import { randomBytes } from 'node:crypto';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { exportJWK, type JSONWebKeySet, SignJWT } from 'jose';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { basic, issuer, startOfTime, type TestServer, testServer } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import { audience, clientSecret, tokenEndpointFixture } from '../support/token-endpoint-fixture.ts';

const keyEncryptionKey = randomBytes(32);
const env = { KEY_ENCRYPTION_KEY: keyEncryptionKey.toString('base64url') };

/** A key of somebody who can write to the database, and what such a row would hold. */
async function foreignKey() {
  const key = await testKey();
  const kid = key.jkt;
  const published = JSON.stringify({ ...key.jwk, kid, alg: 'ES256', use: 'sig' });
  const privateJwk = JSON.stringify({ ...(await exportJWK(key.privateKey)), alg: 'ES256' });
  return { ...key, kid, published, privateJwk };
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'whoever can write to the database but has no key-encryption key, on $name',
  { timeout: 60_000 },
  (kind) => {
    let store: TestStore;
    const running: TestServer[] = [];
    const start = async () => {
      const server = await testServer({ store, env });
      running.push(server);
      return server;
    };
    const stopAll = async () => {
      await Promise.all(running.splice(0).map(async (server) => server.stop()));
    };
    const query = async (sql: string, args: readonly string[] = []) => {
      const url = String(store.env['DATABASE_URL']);
      const connection = await (url.startsWith('file:')
        ? new PrismaLibSql({ url })
        : new PrismaPg({ connectionString: url })
      ).connect();
      const { rows } = await connection.queryRaw({
        sql,
        args: [...args],
        argTypes: args.map(() => ({ scalarType: 'string', arity: 'scalar' })),
      });
      await connection.dispose();
      return rows as string[][];
    };
    const kids = async (server: TestServer) =>
      ((await server.get('/jwks')).body as JSONWebKeySet).keys.map(({ kid }) => kid);
    const insert = async (kid: string, publicJwk: string, privateJwe: string) =>
      query(
        `insert into signing_key (kid, alg, first_for, public_jwk, private_jwe, created_at, active_at) values ($1, 'ES256', $2, $3, $4, 0, ${startOfTime + 9e9}) returning kid`,
        [kid, `after ${kid}`, publicJwk, privateJwe],
      );
    const encrypt = async (text: string, key: Uint8Array, header: object) =>
      new CompactEncrypt(Buffer.from(text))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header })
        .encrypt(key);
    beforeEach(async () => {
      store = await kind.make();
    });
    afterEach(async () => {
      await stopAll();
      await store.remove();
    });

    it('cannot publish a key: no sealed half that he can put beside it is taken, before or after a start', async () => {
      const fixture = await tokenEndpointFixture({ store, env });
      running.push(fixture.server);
      await fixture.server.admin('POST', 'resource-servers', {
        audience: 'https://introspecting.example.com',
        client_id: 'rs',
        client_secret: clientSecret,
      });
      const [genuine] = await kids(fixture.server);
      const [[sealed = '', nonces = ''] = []] = await query(
        "select private_jwe, (select value from shared_secret where name = 'dpop_nonce_secret') from signing_key",
      );
      const own = await Promise.all(Array.from({ length: 4 }, foreignKey));
      const [one, two, three, four] = own as [
        (typeof own)[0],
        (typeof own)[0],
        (typeof own)[0],
        (typeof own)[0],
      ];
      await insert(one.kid, one.published, 'nothing');
      await insert(two.kid, two.published, sealed);
      await insert(three.kid, three.published, nonces);
      const header = { for: `signing_key issuer ${four.kid} ES256` };
      const jwe = await encrypt(four.privateJwk, randomBytes(32), header);
      await insert(four.kid, four.published, jwe);
      await insert('garbage', '{', sealed);

      const claims = { sub: 'app', client_id: 'app', scope: 'read', jti: 'x', cnf: { jkt: 'x' } };
      const check = async (server: TestServer) => {
        expect(await kids(server)).toEqual([genuine]);
        for (const { kid, privateKey } of own) {
          const token = await new SignJWT(claims)
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
            .setIssuer(issuer)
            .setAudience(audience)
            .setIssuedAt(startOfTime / 1000)
            .setExpirationTime(startOfTime / 1000 + 60)
            .sign(privateKey);
          const fields = { authorization: basic('rs', clientSecret) };
          expect((await server.post('/introspect', { token }, fields)).body).toEqual({
            active: false,
          });
        }
      };
      const said = () =>
        fixture.server.logs.some(
          ({ msg, level }) => msg === 'signing keys not refreshed' && level === 50,
        );
      await expect.poll(said, { timeout: 10_000 }).toBe(true);
      await check(fixture.server);
      await check(await start());
      const form = { grant_type: 'client_credentials', resource: audience };
      expect(await fixture.outcome({ form })).toBe(`200 ${fixture.key.jkt}`);
    });

    it.each([
      ['the public half', "update signing_key set public_jwk = $1 where kid <> '' returning kid"],
      ['the name', 'update signing_key set kid = $1 returning kid'],
      ['the purpose', "update signing_key set purpose = 'gateway' where $1 <> '' returning kid"],
      ['the algorithm', "update signing_key set alg = 'PS256' where $1 <> '' returning kid"],
    ])(
      'cannot change %s of a key: the key is out of the JWK Set, also of a server that has it open',
      async (part, sql) => {
        const server = await start();
        expect(await kids(server)).toHaveLength(1);
        const other = await foreignKey();
        const [[text = ''] = []] = await query('select public_jwk from signing_key');
        const published = JSON.stringify({ ...JSON.parse(text), x: 'changed' });
        await query(sql, [part === 'the name' ? other.kid : published]);
        await expect.poll(async () => kids(server), { timeout: 10_000 }).toEqual([]);
        await stopAll();
        await expect(start()).rejects.toThrow(
          part === 'the name' ? /cannot be opened: it signs nothing/ : /cannot be opened/,
        );
      },
    );

    it('cannot put another sealed value in the place of the secrets behind the nonces', async () => {
      await start();
      await stopAll();
      await query(
        "update shared_secret set value = (select private_jwe from signing_key) where name = 'dpop_nonce_secret' returning name",
      );
      await expect(start()).rejects.toThrow(/belongs to another row/);
    });

    it('a key that was sealed before sealed halves named their row is refused with a sentence', async () => {
      await start();
      await stopAll();
      const [[jwe = ''] = []] = await query(
        "select value from shared_secret where name = 'dpop_nonce_secret'",
      );
      const { plaintext, protectedHeader } = await compactDecrypt(jwe, keyEncryptionKey);
      const unbound = await encrypt(plaintext.toString(), keyEncryptionKey, {
        kid: protectedHeader['kid'],
      });
      await query(
        "update shared_secret set value = $1 where name = 'dpop_nonce_secret' returning name",
        [unbound],
      );
      await expect(start()).rejects.toThrow(/does not name its row: a version before 0\.1\.0/);
    });
  },
);
