import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic } from '../support/server.ts';
import {
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const other = 'https://other.example.com';
const itsSecret = 'o'.repeat(32);

describe('RFC 7662 §2.1: a resource server with the client_id of a client', () => {
  let fixture: TokenEndpointFixture;
  let token: string;
  beforeAll(async () => {
    fixture = await tokenEndpointFixture();
    const { status } = await fixture.server.admin('POST', 'resource-servers', {
      audience: other,
      scopes: ['read'],
      client_id: 'app',
      client_secret: itsSecret,
    });
    if (status !== 201) throw new Error(`the resource server was refused: ${status}`);
    const { body } = await fixture.send({
      form: { grant_type: 'client_credentials', resource: other },
    });
    token = JSON.parse(body).access_token;
  });
  afterAll(() => fixture.server.stop());
  const introspect = async (secret: string) => {
    const authorization = basic('app', secret);
    const { status, body } = await fixture.server.post('/introspect', { token }, { authorization });
    return [status, body.active ?? body.error];
  };

  it('learns what is for it', async () => {
    expect(await introspect(itsSecret)).toEqual([200, true]);
  });
  it('leaves the client what it was: authenticated by its own secret, and entitled to nothing', async () => {
    expect(await introspect(clientSecret)).toEqual([200, false]);
  });
  it('gets no token by its secret', async () => {
    expect(await fixture.outcome({ authorization: basic('app', itsSecret) })).toBe(
      '401 invalid_client',
    );
  });
  it('gives a wrong secret nothing, nor the one of a disabled client', async () => {
    expect(await introspect('w'.repeat(32))).toEqual([401, 'invalid_client']);
    await fixture.server.admin('PATCH', 'clients/app', { disabled: true });
    expect(await introspect(clientSecret)).toEqual([401, 'invalid_client']);
    expect(await introspect(itsSecret)).toEqual([200, false]);
  });
});
