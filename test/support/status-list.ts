import { inflateSync } from 'node:zlib';
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect } from 'vitest';
import type { TestServer } from './server.ts';

/** Where a token's state is published (draft-ietf-oauth-status-list §6). */
export interface Reference {
  readonly idx: number;
  readonly uri: string;
}

export const referenceOf = (accessToken: string): Reference =>
  decodeJwt<{ status: { status_list: Reference } }>(accessToken).status.status_list;
export const pathOf = ({ uri }: Reference): string => new URL(uri).pathname;

/** What a verifier does that knows the token and the JWK Set, and nothing else. */
export async function stateAt(
  server: TestServer,
  accessToken: string,
): Promise<'valid' | 'invalid'> {
  const reference = referenceOf(accessToken);
  const response = await fetch(`${server.url}${pathOf(reference)}`, {
    headers: { accept: 'application/statuslist+jwt' },
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'application/statuslist+jwt',
  ]);
  const jwks = createLocalJWKSet((await server.get('/jwks')).body as JSONWebKeySet);
  const { payload } = await jwtVerify<{ ttl: number; status_list: { bits: number; lst: string } }>(
    await response.text(),
    jwks,
    {
      typ: 'statuslist+jwt',
      subject: reference.uri,
      requiredClaims: ['iat', 'exp', 'ttl', 'status_list'],
      currentDate: new Date(server.clock.now),
    },
  );
  expect(payload.status_list.bits).toBe(1);
  const octets = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'));
  expect(reference.idx).toBeLessThan(octets.length * 8);
  return (((octets[reference.idx >> 3] ?? 0) >> (reference.idx & 7)) & 1) === 0
    ? 'valid'
    : 'invalid';
}
