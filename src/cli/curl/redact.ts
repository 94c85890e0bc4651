import { Transform } from 'node:stream';

/**
 * Passes lines on without these secrets, recognized by their start, since curl cuts long lines.
 * Only whole lines are passed on, so that no secret hides between two chunks.
 */
export function redacted(secrets: readonly string[]): Transform {
  const starts = secrets.map((secret) => secret.slice(0, 24).replace(/\W/g, '\\$&'));
  const pattern = new RegExp(`(?:${starts.join('|')})[\\w.~+/=-]*`, 'g');
  // Latin-1 leaves every byte as it is.
  const clean = (text: string) => Buffer.from(text.replace(pattern, '[redacted]'), 'latin1');
  let rest = '';
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = rest + chunk.toString('latin1');
      // A progress meter ends its lines with a carriage return.
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
      rest = text.slice(end);
      done(null, clean(text.slice(0, end)));
    },
    flush(done) {
      done(null, clean(rest));
    },
  });
}
