import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { generateKeyPair } from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createHolder,
  type Holder,
  type HolderOptions,
  type KeySource,
} from '../../packages/client/src/client.ts';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { ath } from '../support/pair.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
const dpopAlgs = ['ES256', 'ES384', 'PS256', 'Ed25519', 'ML-DSA-44'] as const;
let server: LiveServer;
let api: Api;

beforeAll(async () => {
  server = await liveServer({ DPOP_NONCE: 'required' });
  api = await openApi(server.issuer, { nonceRequired: true, dpopAlgs });
  await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
});
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true });
});

const options = (more: Partial<HolderOptions> = {}): HolderOptions => ({
  issuer: server.issuer,
  clientId: 'signer',
  authentication: { method: 'private_key_jwt' },
  resource: api.origin,
  ...more,
});

async function register(holder: Holder): Promise<void> {
  await server.admin('DELETE', 'clients/signer');
  const { status } = await server.admin('POST', 'clients', {
    client_id: 'signer',
    token_endpoint_auth_method: 'private_key_jwt',
    scope: 'read',
    jwks: { keys: [holder.publicJwk] },
  });
  expect(status).toBe(201);
}

/** An HSM that gives nothing but signatures. */
function signFunction(key: KeyObject): KeySource {
  const { d: _d, ...publicJwk } = key.export({ format: 'jwk' });
  const hash = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signed = (input: Uint8Array) => sign(hash, input, { key, dsaEncoding: 'ieee-p1363' });
  return { sign: async (input) => new Uint8Array(signed(input)), publicJwk };
}

const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const ed25519 = () => generateKeyPairSync('ed25519').privateKey;
const kinds: readonly {
  readonly kind: string;
  readonly alg: string;
  readonly make: () => Promise<Partial<HolderOptions>>;
}[] = [
  { kind: 'in memory', alg: 'ES256', make: async () => ({ key: 'memory' }) },
  { kind: 'in memory', alg: 'Ed25519', make: async () => ({ key: 'memory', alg: 'Ed25519' }) },
  { kind: 'in memory', alg: 'ML-DSA-44', make: async () => ({ key: 'memory', alg: 'ML-DSA-44' }) },
  { kind: 'in a file', alg: 'ES256', make: async () => ({ key: { file: join(folder, 'es') } }) },
  {
    kind: 'in a file',
    alg: 'Ed25519',
    make: async () => ({ key: { file: join(folder, 'ed') }, alg: 'Ed25519' }),
  },
  {
    kind: 'in a file',
    alg: 'ML-DSA-44',
    make: async () => ({ key: { file: join(folder, 'ml') }, alg: 'ML-DSA-44' }),
  },
  {
    kind: 'pair of CryptoKeys',
    alg: 'ES384',
    make: async () => ({ key: await generateKeyPair('ES384') }),
  },
  {
    kind: 'CryptoKey alone',
    alg: 'ES256',
    make: async () => ({ key: (await generateKeyPair('ES256', { extractable: true })).privateKey }),
  },
  { kind: 'KeyObject', alg: 'ES256', make: async () => ({ key: ec() }) },
  { kind: 'KeyObject', alg: 'Ed25519', make: async () => ({ key: ed25519() }) },
  {
    kind: 'KeyObject',
    alg: 'PS256',
    make: async () => ({ key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
  },
  { kind: 'sign function', alg: 'ES256', make: async () => ({ key: signFunction(ec()) }) },
  { kind: 'sign function', alg: 'Ed25519', make: async () => ({ key: signFunction(ed25519()) }) },
];

describe.each(kinds)('a key of the kind $kind, $alg', ({ alg, make }) => {
  it('authenticates the client (RFC 7523) and proves possession (RFC 9449 §4)', async () => {
    const holder = await createHolder(options(await make()));
    await register(holder);
    api.seen.length = 0;
    const url = `${api.origin}/reports?year=2026`;
    for (let times = 0; times < 2; times++) expect((await holder.fetch(url)).status).toBe(200);
    const { accessToken } = await holder.token();
    expect(decodeJwt(accessToken)['cnf']).toEqual({ jkt: holder.thumbprint });
    const proofs = api.seen.map(({ headers }) => String(headers['dpop']));
    const { kid: _kid, use: _use, alg: named, ...publicJwk } = holder.publicJwk ?? {};
    const jwk = named?.startsWith('ML-') === true ? { ...publicJwk, alg } : publicJwk;
    for (const proof of proofs.slice(1)) {
      expect(decodeProtectedHeader(proof)).toEqual({ typ: 'dpop+jwt', alg, jwk });
      const { iat = 0, jti = '', nonce, ...claims } = decodeJwt(proof);
      expect(claims).toEqual({ htm: 'GET', htu: `${api.origin}/reports`, ath: ath(accessToken) });
      expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(5);
      expect(jti.length).toBeGreaterThanOrEqual(22);
      expect(nonce).toEqual(expect.any(String));
    }
    expect(new Set(proofs.map((proof) => decodeJwt(proof).jti)).size).toBe(3);
  });
});

it('one key authenticates and another one is bound', async () => {
  const own = ec();
  const authentication = { method: 'private_key_jwt', key: own, kid: 'mine' } as const;
  await register(await createHolder(options({ key: own, kid: 'mine' })));
  const holder = await createHolder(options({ key: 'memory', authentication }));
  expect((await holder.fetch(`${api.origin}/reports`)).status).toBe(200);
});

describe('a key file', () => {
  it('is made on first use for its owner only, and kept', async () => {
    const file = join(folder, 'below/key.json');
    const made = await createHolder(options({ key: { file } }));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'below')).mode & 0o777).toBe(0o700);
    const found = await createHolder(options({ key: { file } }));
    expect(found.thumbprint).toBe(made.thumbprint);
    const key = createPrivateKey({ key: JSON.parse(readFileSync(file, 'utf8')), format: 'jwk' });
    expect((await createHolder(options({ key }))).thumbprint).toBe(made.thumbprint);
  });

  it('is the same for all who start at once', async () => {
    const file = join(folder, 'at-once/key.json');
    const many = Array.from({ length: 12 }, async () => createHolder(options({ key: { file } })));
    const holders = await Promise.all(many);
    expect(new Set(holders.map(({ thumbprint }) => thumbprint)).size).toBe(1);
    expect(readdirSync(join(folder, 'at-once'))).toEqual(['key.json']);
  });

  it('lies below XDG_DATA_HOME when the options name none, one a client', async () => {
    const before = process.env['XDG_DATA_HOME'];
    process.env['XDG_DATA_HOME'] = join(folder, 'xdg');
    const first = await createHolder(options());
    const again = await createHolder(options());
    const other = await createHolder(options({ clientId: '../other/client' }));
    process.env['XDG_DATA_HOME'] = before;
    if (before === undefined) Reflect.deleteProperty(process.env, 'XDG_DATA_HOME');
    expect(again.thumbprint).toBe(first.thumbprint);
    expect(other.thumbprint).not.toBe(first.thumbprint);
    expect(readdirSync(join(folder, 'xdg/holdfast/keys')).length).toBe(2);
  });

  it.each([
    {
      what: 'that others may read is refused',
      spoil: (file: string) => chmodSync(file, 0o640),
      says: 'others may read',
    },
    {
      what: 'that is no JSON is refused, not replaced',
      spoil: (file: string) => writeFileSync(file, 'damaged'),
      says: 'not a JSON Web Key',
    },
    {
      what: 'that has no private key is refused, not replaced',
      spoil: (file: string) => writeFileSync(file, '{"kty":"EC","crv":"P-256"}'),
      says: 'not an EC',
    },
  ])('$what', async ({ spoil, says }) => {
    const file = join(folder, says.replaceAll(' ', '-'));
    await createHolder(options({ key: { file } }));
    spoil(file);
    await expect(createHolder(options({ key: { file } }))).rejects.toMatchObject({
      code: 'key_unavailable',
      message: expect.stringContaining(says),
    });
  });
});

describe('a sign function', () => {
  const derSigner = (): KeySource => {
    const key = ec();
    const { d: _d, ...publicJwk } = key.export({ format: 'jwk' });
    return { publicJwk, sign: (input) => new Uint8Array(sign('sha256', input, key)) };
  };
  it.each([
    { what: 'that answers DER', key: derSigner, says: 'not DER' },
    {
      what: 'that fails',
      key: (): KeySource => ({
        ...(signFunction(ec()) as { sign: never; publicJwk: object }),
        sign: async () => Promise.reject(new Error('the HSM is locked')),
      }),
      says: 'the HSM is locked',
    },
  ])('$what says so before anything is sent', async ({ key, says }) => {
    const holder = await createHolder(options({ key: key() }));
    await expect(holder.token()).rejects.toMatchObject({
      code: 'key_unavailable',
      message: expect.stringContaining(says),
    });
  });
});

it('a private CryptoKey that is not extractable needs its public key', async () => {
  const { privateKey } = await generateKeyPair('ES256');
  await expect(createHolder(options({ key: privateKey }))).rejects.toMatchObject({
    code: 'key_unavailable',
  });
});
