const encoder = new TextEncoder();

/** Base64url without padding (RFC 7515 §2) of bytes, or of text as UTF-8. */
export function base64url(input: Uint8Array | ArrayBuffer | string): string {
  const bytes =
    typeof input === 'string'
      ? encoder.encode(input)
      : input instanceof ArrayBuffer
        ? new Uint8Array(input)
        : input;
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The bytes of base64url or base64 text. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Base64url of the SHA-256 of bytes or text. */
export async function sha256(input: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const bytes = typeof input === 'string' ? encoder.encode(input) : input;
  return base64url(await crypto.subtle.digest('SHA-256', bytes));
}

/** A fresh `jti`: 128 random bits. */
export function randomJti(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(16)));
}
