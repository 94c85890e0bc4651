import { isForEncryption, readEncryptionKey } from '../jose/encryption-key.ts';
import { JoseError } from '../jose/jose-error.ts';
import { readPublicKey } from '../jose/public-key.ts';
import { Problem } from './problem.ts';

/** Checks that every key suits its purpose and that no two share a `kid`. Throws Problem. */
export function checkJwks(keys: readonly unknown[], onlyEncryption = false): void {
  const kids = new Set<string>();
  for (const [index, jwk] of keys.entries()) {
    const forEncryption = onlyEncryption || isForEncryption(jwk);
    const { kid } = readKey(jwk, forEncryption, index);
    if (kid === undefined) continue;
    if (kids.has(kid))
      throw new Problem(400, 'two keys have the same kid', `jwks.keys[${index}].kid`);
    kids.add(kid);
  }
}

function readKey(jwk: unknown, forEncryption: boolean, index: number): { readonly kid?: string } {
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
