import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resourceServer } from '../../packages/resource-server/src/resource-server.ts';
import {
  apiOrigin,
  type GatewayFixture,
  gatewayFixture,
  gatewayForms,
} from '../support/gateway.ts';
import { ath } from '../support/pair.ts';
import { issuer } from '../support/server.ts';

/** Verifiers have clocks of their own, so the server runs on the real one. */
const realClock = {
  get now() {
    return Date.now();
  },
};
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await gatewayFixture({ clock: realClock });
});
afterAll(async () => fixture.server.stop());

const assertionOf = async (question = {}) => {
  const { headers } = await fixture.ask({ assertion: true, scope: 'read', ...question });
  return headers['holdfast-assertion'] as string;
};
const jwks = async (path: string) =>
  createLocalJWKSet((await fixture.server.get(path)).body as JSONWebKeySet);

describe('the assertion for the upstream', () => {
  it.each(gatewayForms)('by /%s names the request, its holder and the upstream', async (form) => {
    const assertion = await assertionOf({ form, method: 'POST' });
    const upstream = `urn:holdfast:upstream:${fixture.resourceServerId}`;
    const { payload, protectedHeader } = await jwtVerify(assertion, await jwks('/gateway/jwks'), {
      issuer: `${issuer}/gateway`,
      audience: upstream,
      typ: 'forwarded-request+jwt',
      requiredClaims: ['exp'],
    });
    expect(payload).toEqual({
      iss: `${issuer}/gateway`,
      aud: upstream,
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 30,
      method: 'POST',
      uri: `${apiOrigin}/things?x=1`,
      sub: 'app',
      client_id: 'app',
      presenter: 'app',
      key: fixture.key.jkt,
      scope: 'read',
      token_id: expect.any(String),
    });
    expect(protectedHeader.alg).toBe('ES256');
  });

  it('is given on request only', async () => {
    const { status, headers } = await fixture.ask();
    expect([status, headers]).toEqual([
      200,
      expect.not.objectContaining({ 'holdfast-assertion': expect.anything() }),
    ]);
  });
});

describe('the assertion presented as an access token', () => {
  /** As the thief of an assertion would: with the proof of a key of the thief's choice, and without. */
  const presented = async (assertion: string, url: string) => [
    { authorization: `Bearer ${assertion}` },
    {
      authorization: `DPoP ${assertion}`,
      dpop: await fixture.key.proof({
        htm: 'GET',
        htu: url,
        ath: ath(assertion),
        iat: Math.floor(Date.now() / 1000),
      }),
    },
  ];
  const audiences = () => [apiOrigin, `urn:holdfast:upstream:${fixture.resourceServerId}`];

  it('jose: the JWK Set of the issuer has no key for it, whatever else is checked', async () => {
    const assertion = await assertionOf();
    const keys = await jwks('/jwks');
    for (const options of [
      {},
      { issuer },
      { audience: apiOrigin },
      { issuer, audience: audiences() },
    ])
      await expect(jwtVerify(assertion, keys, options)).rejects.toMatchObject({
        code: 'ERR_JWKS_NO_MATCHING_KEY',
      });
  });

  it('even by the keys of gateways, issuer, audience and type each refuse it', async () => {
    const assertion = await assertionOf();
    const keys = await jwks('/gateway/jwks');
    await expect(jwtVerify(assertion, keys)).resolves.toBeDefined();
    for (const options of [{ issuer }, { audience: apiOrigin }, { typ: 'at+jwt' }])
      await expect(jwtVerify(assertion, keys, options)).rejects.toMatchObject({
        code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      });
    expect(decodeProtectedHeader(assertion).typ).toBe('forwarded-request+jwt');
    expect(decodeJwt(assertion)).not.toHaveProperty('cnf');
  });

  it.each(['/jwks', '/gateway/jwks'])(
    'oauth4webapi refuses it, with the keys at %s',
    async (path) => {
      const url = `${apiOrigin}/things`;
      for (const audience of audiences())
        for (const headers of await presented(await assertionOf(), url))
          await expect(
            oauth.validateJwtAccessToken(
              { issuer, jwks_uri: `${fixture.server.url}${path}` },
              new Request(url, { headers }),
              audience,
              { [oauth.allowInsecureRequests]: true },
            ),
          ).rejects.toBeInstanceOf(Error);
    },
  );

  it.each(['/jwks', '/gateway/jwks'])(
    'express-oauth2-jwt-bearer refuses it, with the keys at %s',
    async (path) => {
      for (const audience of audiences()) {
        const app = express();
        const jwksUri = `${fixture.server.url}${path}`;
        app.use(
          auth({ issuer, audience, jwksUri, tokenSigningAlg: 'ES256', dpop: { enabled: true } }),
        );
        app.get('/things', (_, response) => void response.end('in'));
        const server = app.listen(0, '127.0.0.1');
        await once(server, 'listening');
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`;
        for (const headers of await presented(await assertionOf(), url))
          expect((await fetch(url, { headers: { ...headers, connection: 'close' } })).status).toBe(
            401,
          );
        server.close();
      }
    },
  );

  it('@holdfast/resource-server refuses it', async () => {
    const url = `${apiOrigin}/things`;
    for (const audience of audiences()) {
      const verify = resourceServer({
        issuer: { issuer, jwksUri: `${fixture.server.url}/jwks` },
        audience,
      });
      for (const headers of await presented(await assertionOf(), url))
        await expect(verify({ method: 'GET', url, headers })).rejects.toMatchObject({
          status: 401,
        });
    }
  });

  it('so do introspection, token exchange and the gateway itself', async () => {
    const assertion = await assertionOf();
    expect(await fixture.outcome({ token: assertion })).toBe('401 token_inactive');
  });
});
