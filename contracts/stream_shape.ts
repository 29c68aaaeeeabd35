/**
 * The shape of a session: what the multivariant playlist promises and what therefore stays fixed until the session
 * ends, because players never reload that playlist.
 */
import * as z from 'zod/mini';
import { isRenditionName } from './ids.ts';
import type { RenditionName } from './ids.ts';

export const renditionNameSchema = z.custom<RenditionName>(
  isRenditionName,
  'wanted a rendition name ([a-z0-9][a-z0-9_-]{0,31})',
);

export const renditionShapeSchema = z.strictObject({
  name: renditionNameSchema,
  /** Pixels; absent for a rendition that is audio alone. */
  resolution: z.optional(z.strictObject({ width: z.int().check(z.positive()), height: z.int().check(z.positive()) })),
  /** Frames per second, at most three decimals (RFC 8216bis 4.4.6.2). */
  frameRate: z.optional(z.number().check(z.positive())),
  /** RFC 6381, video first, such as `avc1.64001f,mp4a.40.2`. */
  codecs: z.string(),
  /** Peak bits per second of any segment, overhead included. */
  bandwidth: z.int().check(z.positive()),
  /** Bits per second that the rendition is made for. */
  averageBandwidth: z.int().check(z.positive()),
});
/** What the multivariant playlist says about one rendition. */
export type RenditionShape = z.infer<typeof renditionShapeSchema>;

export const sessionShapeSchema = z.strictObject({
  /** Ascending by bandwidth. */
  renditions: z.array(renditionShapeSchema).check(z.minLength(1)),
  /** EXT-X-TARGETDURATION, whole seconds. */
  targetDuration: z.int().check(z.positive()),
  /** PART-TARGET, seconds. */
  partTarget: z.number().check(z.positive()),
});
export type SessionShape = z.infer<typeof sessionShapeSchema>;
