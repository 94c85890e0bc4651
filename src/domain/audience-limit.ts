/** The audiences that every limit allows; undefined if there is no limit. */
export function commonAudiences(
  ...limits: readonly (readonly string[] | undefined)[]
): readonly string[] | undefined {
  return limits.reduce(
    (common, limit) =>
      common === undefined || limit === undefined
        ? (common ?? limit)
        : common.filter((audience) => limit.includes(audience)),
    undefined,
  );
}
