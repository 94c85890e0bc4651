import { importedKeyBytes } from '../jose/key-bytes.ts';

/** Memory per character of a JSON text, for its strings, objects and imported members. */
const perCharacter = 6;

/** Estimates the bytes of a registration and its imported keys from its JSON text. */
export function heldBytes(json: string): number {
  // Every key has a "kty", and hardly anything else does.
  return json.length * perCharacter + (json.split('"kty"').length - 1) * importedKeyBytes;
}

/**
 * Copies the text in memory. A substring refers to the whole text, so a name of ten characters
 * would keep a body of 64 KiB.
 */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
