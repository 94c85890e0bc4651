import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { type RawAnswer, rawRequest } from '../support/raw-request.ts';
import { languages, type RunningExample, startResourceServer } from './languages.ts';

type Fields = readonly (readonly [string, string])[];
const audience = 'https://api.example.com';
const now = () => Math.floor(Date.now() / 1000);
/** A JWS as it would be without the checks of the library that the tests sign by. */
const unsigned = (header: object, claims: object) =>
  `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
async function signed(header: object, claims: object, { privateKey }: TestKey): Promise<string> {
  const input = unsigned(header, claims);
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const bytes = Buffer.from(input.slice(0, -1));
  const signature = await crypto.subtle.sign(algorithm, privateKey, bytes);
  return input + Buffer.from(signature).toString('base64url');
}
const servers = languages.filter(({ resourceServer }) => resourceServer !== undefined);

describe.each(servers)('examples: the resource server in $name', (language) => {
  const { here, build, resourceServer } = language;
  let [issuer, own, key, thief]: [string, TestKey, TestKey, TestKey] = [] as never;
  let [folder, origin, output]: [string, string, string] = ['', '', ''];
  let [documents, running]: [Server, RunningExample | undefined] = [] as never;
  let fault: 'status' | 'no JSON' | 'another issuer' | undefined;

  beforeAll(async () => {
    if (!here) return;
    await build?.();
    folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
    [own, key, thief] = [await testKey(), await testKey(), await testKey()];
    issuer = `http://127.0.0.1:${await freePort()}`;
    const keys = [
      { kty: 'RSA', kid: 'of another kind', n: 'AQAB', e: 'AQAB' },
      { ...own.jwk, kid: 'own', alg: 'ES256', use: 'sig' },
    ];
    documents = createServer(({ url }, response) => {
      const metadata = { issuer, jwks_uri: `${issuer}/jwks`, extra: [null, 1.5e3, '\u00e9\n'] };
      if (fault === 'another issuer') metadata.issuer = 'https://other.example.com';
      const document = url === '/jwks' ? { keys } : metadata;
      response.writeHead(fault === 'status' ? 503 : 200, { 'content-type': 'application/json' });
      response.end(fault === 'no JSON' ? '<html>' : JSON.stringify(document));
    }).listen(Number(new URL(issuer).port), '127.0.0.1');
    await start();
  });
  afterAll(async () => {
    await stop();
    documents?.close();
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  const start = async () => {
    const command = resourceServer?.() ?? [''];
    running = await startResourceServer(command, {
      HOME: folder,
      ISSUER: issuer,
      AUDIENCE: audience,
    });
    ({ origin } = running);
  };
  const stop = async () => {
    output += running?.output() ?? '';
    await running?.stop();
  };

  const tokenClaims = (claims: object) => ({
    iss: issuer,
    sub: 'reports',
    aud: audience,
    client_id: 'reports',
    scope: 'read',
    jti: randomJti(),
    iat: now(),
    exp: now() + 300,
    cnf: { jkt: key.jkt },
    ...claims,
  });
  const proofClaims = (token: string) => ({
    htm: 'GET',
    htu: `${origin}/reports`,
    iat: now(),
    jti: randomJti(),
    ath: ath(token),
  });
  const tokenOf = (claims: object = {}, header: object = {}, by = own) =>
    by.sign(tokenClaims(claims), { typ: 'at+jwt', kid: 'own', ...header });
  const proofOf = (token: string, claims: object = {}, header: object = {}, by = key) =>
    by.proof({ ...proofClaims(token), ...claims }, header);
  const send = (fields: Fields, path = '/reports', method = 'GET') =>
    rawRequest(`${origin}${path}`, method, fields);
  const sendProof = (token: string, proof: string) =>
    send([
      ['authorization', `DPoP ${token}`],
      ['dpop', proof],
    ]);
  const present = async (
    token: string | Promise<string>,
    claims?: object,
    header?: object,
    by?: TestKey,
  ): Promise<RawAnswer> => sendProof(await token, await proofOf(await token, claims, header, by));
  const sendsBoth = async (fields: (token: string, proof: string) => Fields) => {
    const token = await tokenOf();
    return send(fields(token, await proofOf(token)));
  };
  /** A JWS whose signature has been replaced. */
  const withSignature = (jws: string, signature: string) =>
    `${jws.slice(0, jws.lastIndexOf('.'))}.${signature}`;

  it.skipIf(!here)('lets in the holder, and says who it is', async () => {
    for (const aud of [audience, [audience, 'https://other.example.com']]) {
      const { status, body } = await present(tokenOf({ aud }));
      expect([status, JSON.parse(body)]).toEqual([200, { client_id: 'reports' }]);
    }
  });

  it.skipIf(!here)('RFC 9449 §4.2: the query is no part of htu', async () => {
    const token = await tokenOf();
    const fields: Fields = [
      ['authorization', `dpop ${token}`],
      ['dpop', await proofOf(token)],
    ];
    expect((await send(fields, '/reports?year=2026')).status).toBe(200);
  });

  it.skipIf(!here)(
    'RFC 9449 §11.1: of many requests at once with one proof, one passes',
    async () => {
      const token = await tokenOf();
      const fields: Fields = [
        ['authorization', `DPoP ${token}`],
        ['dpop', await proofOf(token)],
      ];
      const answers = await Promise.all(Array.from({ length: 20 }, async () => send(fields)));
      expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
        200,
        ...Array(19).fill(401),
      ]);
      expect((await send(fields)).headers['www-authenticate']).toMatch(
        /^DPoP error="invalid_dpop_proof".*algs="ES256"$/,
      );
    },
  );

  const rows: readonly (readonly [string, () => Promise<RawAnswer>])[] = [
    ['no token', async () => send([])],
    [
      'the stolen token alone',
      async () => sendsBoth((token) => [['authorization', `DPoP ${token}`]]),
    ],
    [
      'the stolen token as a bearer token',
      async () => sendsBoth((token) => [['authorization', `Bearer ${token}`]]),
    ],
    [
      'a bearer token beside its proof',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `Bearer ${token}`],
          ['dpop', proof],
        ]),
    ],
    ["the stolen token with the thief's proof", async () => present(tokenOf(), {}, {}, thief)],
    [
      "a proof signed by the thief with the holder's key in it",
      async () => present(tokenOf(), {}, { jwk: key.jwk }, thief),
    ],
    [
      'two proofs',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', proof],
          ['dpop', proof],
        ]),
    ],
    [
      'joined proofs',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', `${proof}, ${proof}`],
        ]),
    ],
    [
      'two tokens',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `DPoP ${token}`],
          ['authorization', `DPoP ${token}`],
          ['dpop', proof],
        ]),
    ],
    [
      'the token as the proof',
      async () =>
        sendsBoth((token) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', token],
        ]),
    ],
    [
      'the proof as the token',
      async () =>
        sendsBoth((_, proof) => [
          ['authorization', `DPoP ${proof}`],
          ['dpop', proof],
        ]),
    ],
    [
      'an empty proof',
      async () =>
        sendsBoth((token) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', ''],
        ]),
    ],
    [
      'text in place of a proof',
      async () =>
        sendsBoth((token) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', 'a.b.c'],
        ]),
    ],
    ['another method', async () => present(tokenOf(), { htm: 'POST' })],
    ['the method in small letters', async () => present(tokenOf(), { htm: 'get' })],
    ['another URI', async () => present(tokenOf(), { htu: `${origin}/other` })],
    ['another host', async () => present(tokenOf(), { htu: 'https://other.example.com/reports' })],
    [
      'a URI that begins like this one',
      async () => present(tokenOf(), { htu: `${origin}/report` }),
    ],
    ['no htu', async () => present(tokenOf(), { htu: undefined })],
    ['no ath', async () => present(tokenOf(), { ath: undefined })],
    ['ath of another token', async () => present(tokenOf(), { ath: ath(await tokenOf()) })],
    ['no jti', async () => present(tokenOf(), { jti: undefined })],
    ['an empty jti', async () => present(tokenOf(), { jti: '' })],
    ['a jti that is no text', async () => present(tokenOf(), { jti: 7 })],
    ['too old', async () => present(tokenOf(), { iat: now() - 90 })],
    ['too far in the future', async () => present(tokenOf(), { iat: now() + 90 })],
    ['no iat', async () => present(tokenOf(), { iat: undefined })],
    ['iat as text', async () => present(tokenOf(), { iat: String(now()) })],
    ['iat true', async () => present(tokenOf(), { iat: true })],
    ['a proof of another type', async () => present(tokenOf(), {}, { typ: 'JWT' })],
    ['a proof without a key', async () => present(tokenOf(), {}, { jwk: undefined })],
    [
      'a private key in the proof',
      async () => present(tokenOf(), {}, { jwk: { ...key.jwk, d: 'AQAB' } }),
    ],
    [
      'a symmetric key in the proof',
      async () => present(tokenOf(), {}, { jwk: { kty: 'oct', k: 'AAAA' } }),
    ],
    [
      'a point that is not on the curve',
      async () => present(tokenOf(), {}, { jwk: { ...key.jwk, x: key.jwk.y } }),
    ],
    [
      'an unknown critical header in the proof',
      async () => {
        const token = await tokenOf();
        const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk, crit: ['x'], x: 1 };
        return sendProof(token, await signed(header, proofClaims(token), key));
      },
    ],
    [
      'a proof that names another algorithm',
      async () => {
        const token = await tokenOf();
        const header = { typ: 'dpop+jwt', alg: 'ES384', jwk: key.jwk };
        return sendProof(token, await signed(header, proofClaims(token), key));
      },
    ],
    [
      'a proof without a signature',
      async () => {
        const token = await tokenOf();
        const header = { typ: 'dpop+jwt', alg: 'none', jwk: key.jwk };
        return sendProof(token, unsigned(header, proofClaims(token)));
      },
    ],
    [
      'a signature of zeros',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', withSignature(proof, 'A'.repeat(86))],
        ]),
    ],
    [
      'an empty signature',
      async () =>
        sendsBoth((token, proof) => [
          ['authorization', `DPoP ${token}`],
          ['dpop', withSignature(proof, '')],
        ]),
    ],
    ['a token of another key', async () => present(tokenOf({}, {}, thief))],
    ['a token of an unknown kid', async () => present(tokenOf({}, { kid: 'none' }))],
    [
      'a token of a key of another kind',
      async () => present(tokenOf({}, { kid: 'of another kind' })),
    ],
    ['a token without kid', async () => present(tokenOf({}, { kid: undefined }))],
    [
      'a token that brings its key along',
      async () => present(tokenOf({}, { jwk: thief.jwk, kid: undefined }, thief)),
    ],
    [
      'a token without a signature',
      async () => present(unsigned({ typ: 'at+jwt', alg: 'none', kid: 'own' }, tokenClaims({}))),
    ],
    ['a token of zeros', async () => present(withSignature(await tokenOf(), 'A'.repeat(86)))],
    ['another JWT of the issuer', async () => present(tokenOf({}, { typ: 'JWT' }))],
    [
      'an unknown critical header in the token',
      async () => {
        const header = { typ: 'at+jwt', alg: 'ES256', kid: 'own', crit: ['x'], x: 1 };
        return present(signed(header, tokenClaims({}), own));
      },
    ],
    ['another issuer', async () => present(tokenOf({ iss: 'https://other.example.com' }))],
    ['another audience', async () => present(tokenOf({ aud: 'https://other.example.com' }))],
    [
      'an audience that begins like this one',
      async () => present(tokenOf({ aud: `${audience}/` })),
    ],
    ['no audience', async () => present(tokenOf({ aud: undefined }))],
    ['expired', async () => present(tokenOf({ exp: now() - 60 }))],
    ['no exp', async () => present(tokenOf({ exp: undefined }))],
    ['exp as text', async () => present(tokenOf({ exp: String(now() + 60) }))],
    ['no cnf', async () => present(tokenOf({ cnf: undefined }))],
    ['cnf without jkt', async () => present(tokenOf({ cnf: {} }))],
    ['cnf null', async () => present(tokenOf({ cnf: null }))],
    ['bound to a certificate', async () => present(tokenOf({ cnf: { 'x5t#S256': key.jkt } }))],
  ];
  it.skipIf(!here).each(rows)('401: %s', async (_, request) => {
    const { status, headers } = await request();
    expect([status, headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^DPoP /)]);
  });

  it.skipIf(!here).each(['status', 'no JSON', 'another issuer'] as const)(
    'fails closed when the keys cannot be had: %s',
    async (problem) => {
      await stop();
      fault = problem;
      await start();
      expect((await present(tokenOf())).status).toBe(503);
      fault = undefined;
      expect((await present(tokenOf())).status).toBe(200);
    },
  );

  it.skipIf(!here)('wrote no token and no defect to its output', () => {
    expect(output + (running?.output() ?? '')).not.toMatch(/eyJ|Traceback|panic|Exception/);
  });
});
