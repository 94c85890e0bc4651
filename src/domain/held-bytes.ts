import { importedKeyBytes } from '../jose/key-bytes.ts';

/** How much of a JSON text's length its value takes, as strings, objects and imported members. */
const perCharacter = 6;

/** Bytes that a registration holds, and its keys once they are imported, by its JSON text. */
export function heldBytes(json: string): number {
  // Every key has its type, and hardly anything else a member of that name.
  return json.length * perCharacter + (json.split('"kty"').length - 1) * importedKeyBytes;
}

/**
 * The text in memory of its own. What is cut out of a longer text is a reference to all of that: a
 * name of ten characters would keep a body of 64 KiB.
 */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
