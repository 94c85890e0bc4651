import { isForEncryption, readEncryptionKey } from '../jose/encryption-key.ts';
import { JoseError } from '../jose/jose-error.ts';
import { type PublicKey, readPublicKey } from '../jose/public-key.ts';
import { registeredCertificateThumbprint } from '../protocol/client-keys/registered-certificate.ts';
import { Problem } from './problem.ts';

/**
 * Checks that every key suits its purpose and its certificate, and that no two share a `kid`.
 * Throws Problem.
 */
export function checkJwks(
  keys: readonly unknown[],
  { onlyEncryption = false, certificates = true } = {},
): void {
  const kids = new Set<string>();
  for (const [index, jwk] of keys.entries()) {
    const forEncryption = onlyEncryption || isForEncryption(jwk);
    const { kid, keyObject } = readKey(jwk, forEncryption, index);
    if (certificates) checkCertificate({ ...(jwk as Pick<PublicKey, 'x5c'>), keyObject }, index);
    if (kid === undefined) continue;
    if (kids.has(kid))
      throw new Problem(400, 'two keys have the same kid', `jwks.keys[${index}].kid`);
    kids.add(kid);
  }
}

/** Refuses a key whose first certificate is for another one (RFC 7517 §4.7). */
function checkCertificate(key: Pick<PublicKey, 'x5c' | 'keyObject'>, index: number): void {
  if (key.x5c !== undefined && registeredCertificateThumbprint(key) === undefined)
    throw new Problem(
      400,
      'the first certificate in x5c is not for this key',
      `jwks.keys[${index}].x5c`,
    );
}

function readKey(
  jwk: unknown,
  forEncryption: boolean,
  index: number,
): Pick<PublicKey, 'kid' | 'keyObject'> {
  try {
    return forEncryption ? readEncryptionKey(jwk) : readPublicKey(jwk);
  } catch (fault) {
    if (!(fault instanceof JoseError)) throw fault;
    throw new Problem(
      400,
      forEncryption
        ? 'the key is not an acceptable public encryption key'
        : 'the key is not an acceptable public signature key',
      `jwks.keys[${index}]${fault.member === undefined ? '' : `.${fault.member}`}`,
    );
  }
}
