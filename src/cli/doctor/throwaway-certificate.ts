import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** An untrusted self-signed certificate and its key. */
export interface ThrowawayCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A DER element (X.690 §8.1) with this tag. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = Buffer.of(content.length >> 8, content.length & 0xff);
  return Buffer.concat([Buffer.of(tag, 0x82), length, content]);
}

const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents);
const ecdsaWithSha256 = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
const commonName = der(0x06, Buffer.from('550403', 'hex'));

/** Creates a version 1 certificate (RFC 5280 §4.1) that is valid for an hour around `now`. */
export function throwawayCertificate(now: number): ThrowawayCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from('holdfast doctor')))));
  const time = (at: number) =>
    der(0x17, Buffer.from(`${new Date(at).toISOString().replace(/\D/g, '').slice(2, 14)}Z`));
  const signed = sequence(
    der(0x02, Buffer.of(1), randomBytes(8)),
    ecdsaWithSha256,
    name,
    sequence(time(now - 1_800_000), time(now + 1_800_000)),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
  );
  const signature = der(0x03, Buffer.of(0), sign('sha256', signed, privateKey));
  const certificate = sequence(signed, ecdsaWithSha256, signature).toString('base64');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}
