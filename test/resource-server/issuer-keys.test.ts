import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  ResourceServerOptions,
  VerifyPresented,
} from '../../packages/resource-server/src/resource-server.ts';
import {
  resourceServer,
  TokenRefused,
} from '../../packages/resource-server/src/resource-server.ts';
import { randomJti, testKey } from '../support/keys.ts';
import { ath, aware, openPair, type Pair } from '../support/pair.ts';
import { fetchFrom } from '../support/resource-server.ts';
import { issuer, startOfTime } from '../support/server.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await openPair({ env: { JWKS_MAX_AGE: '60', SIGNING_KEY_ANNOUNCEMENT: '120' } });
});
afterAll(async () => pair.server.stop());
const at = (second: number) => (pair.server.clock.now = startOfTime + second * 1000);

/** A recipient on the real server, whose way there can be cut, and what it fetched. */
function recipient(options: Partial<ResourceServerOptions> = {}) {
  const seen: string[] = [];
  const way = { cut: false };
  const through = fetchFrom(pair.server, seen);
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (!way.cut) return through(input, init);
    seen.push('cut');
    throw new TypeError('fetch failed');
  };
  const verify = resourceServer({
    issuer,
    audience: aware,
    clock: () => pair.server.clock.now,
    fetch,
    ...options,
  });
  return { seen, way, verify };
}
/** `app`, or the reason of the refusal, of a token presented with a fresh proof. */
const present = async (
  verify: VerifyPresented,
  token: string,
  key = pair.appKey,
): Promise<string> => {
  const proof = {
    htm: 'GET',
    htu: aware,
    ath: ath(token),
    iat: Math.floor(pair.server.clock.now / 1000),
  };
  const headers = { authorization: `DPoP ${token}`, dpop: await key.proof(proof) };
  return verify({ method: 'GET', url: aware, headers }).then(
    ({ presenter }) => presenter,
    (refused: unknown) => {
      if (!(refused instanceof TokenRefused)) throw refused;
      return `${refused.status} ${refused.reason}`;
    },
  );
};
const freshToken = async () => {
  const { body } = await pair.ask({ form: { req_alt_cnf: undefined } });
  return body.access_token as string;
};
const unknownKid = async () =>
  (await testKey()).sign(
    { iss: issuer, sub: 'app', aud: aware, client_id: 'app', jti: 'x' },
    { typ: 'at+jwt', kid: randomJti() },
  );

describe('metadata and keys of the issuer', () => {
  it('the first tokens share one fetch of metadata and one of keys, and later ones use the copy', async () => {
    const { verify, seen } = recipient();
    const token = await freshToken();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => present(verify, token)),
    );
    expect(new Set(answers)).toEqual(new Set(['app']));
    expect(seen).toEqual([`${issuer}/.well-known/oauth-authorization-server`, `${issuer}/jwks`]);
    at(59);
    expect([await present(verify, token), seen.length]).toEqual(['app', 2]);
    at(61);
    expect([await present(verify, token), seen.length]).toEqual(['app', 4]);
    at(0);
  });
  it('a flood of unknown kids causes one fetch in a cool-down, and none when the issuer is not one of ours', async () => {
    const { verify, seen } = recipient();
    await present(verify, await freshToken());
    for (let second = 1; second <= 60; second++) {
      at(second);
      expect(await present(verify, await unknownKid())).toBe('401 token_key_unknown');
    }
    // Two documents each time; 6 cool-downs of 10 s in the minute, and the first look.
    expect(seen.length).toBeLessThanOrEqual(2 * 7);
    const before = seen.length;
    const strangers = await (await testKey()).sign(
      { iss: 'https://evil.example' },
      { typ: 'at+jwt', kid: 'x', jku: 'https://evil.example/jwks' },
    );
    expect([await present(verify, strangers), seen.length]).toEqual([
      '401 token_issuer_not_trusted',
      before,
    ]);
    at(0);
  });
  it('while the issuer is away the copy serves on, for an hour; then 503, and all is well when it is back', async () => {
    const failures: string[] = [];
    const { verify, way, seen } = recipient({
      cache: { maxAge: 60 },
      onFetchFailure: (_, failure) => void failures.push(failure.name),
      maxProofAge: 7200,
    });
    await present(verify, await freshToken());
    way.cut = true;
    for (const second of [61, 1800, 3600]) {
      at(second);
      expect(await present(verify, await freshToken())).toBe('app');
    }
    at(3662);
    const token = await freshToken();
    expect(await present(verify, token)).toBe('503 issuer_keys_unavailable');
    const tries = seen.length;
    expect([await present(verify, token), seen.length]).toEqual([
      '503 issuer_keys_unavailable',
      tries,
    ]);
    expect(failures.length).toBeGreaterThan(0);
    way.cut = false;
    at(3668);
    expect(await present(verify, token)).toBe('app');
    at(0);
  });
  it('metadata that names another issuer is nobody we know', async () => {
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const response = await fetchFrom(pair.server)(input, init);
      return new Response(
        (await response.text()).replace(`"issuer":"${issuer}"`, '"issuer":"https://evil.example"'),
        response,
      );
    };
    expect(await present(recipient({ fetch }).verify, await freshToken())).toBe(
      '503 issuer_keys_unavailable',
    );
  });
  it.each(['metadata', 'jwks'])('%s with a repeated member is not read', async (document) => {
    const through = fetchFrom(pair.server, []);
    const { verify } = recipient({
      fetch: async (input, init) => {
        const response = await through(input, init);
        if (new Request(input).url.endsWith('/jwks') !== (document === 'jwks')) return response;
        const text = await response.text();
        return new Response(text.replace('{', '{"issuer":"","keys":[],'), response);
      },
    });
    expect(await present(verify, await freshToken())).toBe('503 issuer_keys_unavailable');
  });
  it('a replay store that is away, or full, refuses: fail closed', async () => {
    const { verify } = recipient({
      replay: { markUsed: async () => Promise.reject(new Error('away')) },
    });
    expect(await present(verify, await freshToken())).toBe('503 replay_unavailable');
  });
  it('announced and immediate rotations: no token of the server is ever refused', async () => {
    const { verify, seen } = recipient();
    const failures: string[] = [];
    const kids = new Set<string>();
    for (let second = 0; second <= 600; second += 15) {
      at(second);
      if (second === 30) await pair.server.admin('POST', 'signing-keys/rotate', { alg: 'ES256' });
      if (second === 405)
        await pair.server.admin('POST', 'signing-keys/rotate', { alg: 'ES256', immediately: true });
      await pair.server.admin('GET', 'signing-keys');
      const token = await freshToken();
      kids.add(
        String(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid),
      );
      const answer = await present(verify, token);
      if (answer !== 'app') failures.push(`${second} ${answer}`);
    }
    expect(failures).toEqual([]);
    expect(kids.size).toBe(3);
    expect(seen.length).toBeLessThanOrEqual(2 * (600 / 60 + 3));
    at(0);
  });
});
