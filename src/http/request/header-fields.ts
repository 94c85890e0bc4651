import type { IncomingMessage } from 'node:http';

/**
 * Every value of a header field in order of the message; Node's `headers` joins or drops repeated
 * ones.
 */
export function headerFields(
  { rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>,
  name: string,
): readonly string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}
