import { usageError } from './exit-codes.ts';

/** Milliseconds of each unit of a duration. */
const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const form = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds of a time with its zone, or of a date, which begins at midnight UTC; else NaN. */
export function timeOf(text: string): number {
  const [, day = ''] = form.exec(text) ?? [];
  const midnight = Date.parse(day);
  // Date.parse takes 30 February for 2 March.
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
  return isDay ? Date.parse(text) : Number.NaN;
}

/** Reads a time as `timeOf` does, or a duration before `now`. Throws CommandError (exit code 2). */
export function sinceOf(text: string, now: number): Date {
  const [, count, unit = ''] = /^(\d{1,5})([smhd])$/.exec(text) ?? [];
  const time = count === undefined ? timeOf(text) : now - Number(count) * (units[unit] ?? 0);
  if (Number.isNaN(time))
    throw usageError(
      '--since takes a date such as 2026-11-24, a time such as 2026-11-24T09:00:00Z, ' +
        'or a duration such as 30m, 24h or 7d.',
    );
  return new Date(time);
}
