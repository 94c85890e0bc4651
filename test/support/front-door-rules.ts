import { describe, expect, it } from 'vitest';
import { bySecret, type FrontDoor, smuggled } from './front-door.ts';

/** What holds behind every proxy, for a client that has a certificate and for one that says so. */
export function frontDoorRules(door: () => FrontDoor): void {
  it('§3: the token is bound to the certificate that the proxy saw in the handshake', async () => {
    const { leaf } = door().certificates;
    expect(await door().boundTo({ by: leaf, headers: bySecret })).toBe(leaf.x5tS256);
  });
  it.each<[string, 'leaf' | 'other' | undefined, object, string]>([
    [
      '§2.1: tls_client_auth by a chain that the proxy has verified',
      'leaf',
      { form: { client_id: 'pki' } },
      '200 x5t#S256',
    ],
    [
      '§2.1: the chain with another subject',
      'other',
      { form: { client_id: 'pki' } },
      '401 invalid_client',
    ],
    [
      '§2.2: another certificate than the registered self-signed one',
      'leaf',
      { form: { client_id: 'self' } },
      '401 invalid_client',
    ],
    ['§2: no certificate', undefined, { form: { client_id: 'pki' } }, '401 invalid_client'],
    [
      '§3: no certificate for a client whose tokens are bound to one',
      undefined,
      { headers: bySecret },
      '400 invalid_request',
    ],
  ])('%s', async (_rule, by, asked, expected) => {
    expect(
      await door().answer({ ...asked, ...(by !== undefined && { by: door().certificates[by] }) }),
    ).toBe(expected);
  });
  describe.each(smuggled(() => door().certificates.leaf))(
    'a client that smuggles %s in',
    (_name, headers) => {
      it('is not taken for the holder of that certificate, and binds nothing to it', async () => {
        const { other } = door().certificates;
        expect(await door().answer({ form: { client_id: 'pki' }, headers: headers() })).toBe(
          '401 invalid_client',
        );
        expect(
          await door().answer({ by: other, form: { client_id: 'pki' }, headers: headers() }),
        ).toBe('401 invalid_client');
        expect(await door().boundTo({ by: other, headers: { ...bySecret, ...headers() } })).toBe(
          other.x5tS256,
        );
      });
      it('past the proxy is refused, for its address is not trusted', async () => {
        expect(await door().past({ form: { client_id: 'pki' }, headers: headers() })).toBe(
          '401 invalid_client',
        );
      });
    },
  );
}

/** What holds besides behind a proxy that lets certificates in whose chain it cannot verify, and says so. */
export function selfSignedRules(door: () => FrontDoor): void {
  it('§2.1: the subject without the chain', async () => {
    expect(
      await door().answer({ by: door().certificates.selfSigned, form: { client_id: 'pki' } }),
    ).toBe('401 invalid_client');
  });
  it('§2.2: a registered self-signed certificate', async () => {
    expect(
      await door().answer({ by: door().certificates.selfSigned, form: { client_id: 'self' } }),
    ).toBe('200 x5t#S256');
  });
}
