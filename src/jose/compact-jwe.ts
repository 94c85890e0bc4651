import { constants, createDecipheriv, diffieHellman, hash, privateDecrypt } from 'node:crypto';
import { decodeBase64url } from './base64url.ts';
import { jsonPart } from './compact-jws.ts';
import type { DecryptionKey } from './decryption-key.ts';
import { readEncryptionKey } from './encryption-key.ts';
import { JoseError } from './jose-error.ts';

type Header = Readonly<Record<string, unknown>>;

/** Characters; a symmetric key encrypted by RSA with 4096 bits takes fewer. */
const maxLength = 4096;

/**
 * Decrypts a compact JWE (RFC 7516 §5.2) with the key that its `kid` names, or without `kid` with
 * any key for its `alg`. Throws JoseError.
 */
export function decryptCompactJwe(text: string, keys: readonly DecryptionKey[]): Buffer {
  const parts = text.length > maxLength ? [] : text.split('.', 6);
  const [header64 = '', ...rest] = parts;
  const [encryptedKey, iv, ciphertext, tag] = rest.map(decodeBase64url);
  // Node also accepts shorter tags, which can be guessed.
  if (
    parts.length !== 5 ||
    encryptedKey === undefined ||
    ciphertext === undefined ||
    iv?.length !== 12 ||
    tag?.length !== 16
  )
    throw new JoseError('jwe_malformed');
  const header = jsonPart(header64);
  if ('crit' in header || 'zip' in header) throw new JoseError('crit_unsupported');
  const { alg, enc, kid } = header;
  if (enc !== 'A256GCM') throw new JoseError('alg_unsupported');
  const candidates = keys.filter(
    (key) => key.alg === alg && (kid === undefined || key.kid === undefined || key.kid === kid),
  );
  for (const key of candidates) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', contentKey(header, encryptedKey, key), iv, {
        authTagLength: 16,
      });
      decipher.setAAD(Buffer.from(header64)).setAuthTag(tag);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    } catch {
      // Encrypted to another key or damaged; the two are indistinguishable.
    }
  }
  throw new JoseError('jwe_undecryptable');
}

function contentKey(
  header: Header,
  encryptedKey: Buffer,
  { alg, privateKey }: DecryptionKey,
): Buffer {
  if (alg === 'RSA-OAEP-256')
    return privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      encryptedKey,
    );
  // Checks that the point is on the curve and not of small order; `diffieHellman` checks the curve.
  const epk = readEncryptionKey({ ...(header['epk'] as Header), use: 'enc' }).keyObject;
  const secret = diffieHellman({ privateKey, publicKey: epk });
  const unwrap = createDecipheriv(
    'id-aes256-wrap',
    concatKdf(secret, alg, header),
    Buffer.alloc(8, 0xa6),
  );
  return Buffer.concat([unwrap.update(encryptedKey), unwrap.final()]);
}

/** One round of the Concat KDF, which gives 256 bits (RFC 7518 §4.6.2). */
function concatKdf(secret: Buffer, alg: string, { apu, apv }: Header): Buffer {
  const prefixed = (bytes: Buffer) => Buffer.concat([uint32(bytes.length), bytes]);
  const party = (info: unknown) => {
    const bytes = decodeBase64url(info ?? '');
    if (bytes === undefined) throw new JoseError('jwe_malformed');
    return prefixed(bytes);
  };
  return hash(
    'sha256',
    Buffer.concat([
      uint32(1),
      secret,
      prefixed(Buffer.from(alg)),
      party(apu),
      party(apv),
      uint32(256),
    ]),
    'buffer',
  );
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
