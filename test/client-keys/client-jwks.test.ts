import { expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { testServer } from '../support/server.ts';

it('RFC 7800 §3.5: the JWK Set of a client has what a verifier needs of each key, not its certificate', async () => {
  const server = await testServer();
  const device = await certificate();
  const jwk = { ...device.jwk, kid: 'one', use: 'sig', alg: 'ES256' };
  const { status } = await server.admin('POST', 'clients', {
    client_id: 'device',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: {
      keys: [{ ...jwk, x5c: [device.der.toString('base64')], 'x5t#S256': device.x5tS256 }],
    },
  });
  expect(status).toBe(201);
  const { body } = await server.get('/clients/device/jwks');
  expect(JSON.parse(JSON.stringify(body))).toEqual({ keys: [jwk] });
  await server.stop();
});
