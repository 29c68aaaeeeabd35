/**
 * The relays of one session: begins those that its publisher asks for, feeds them all from one place, keeps them
 * through a short absence, and ends them with the session.
 */
import { randomBytes } from 'node:crypto';
import type { Epoch, SessionId, StreamId } from '../../contracts/ids.ts';
import type { Clock } from '../clock.ts';
import type { Control } from '../control.ts';
import type { MediaTag } from '../flv/media_tag.ts';
import type { Logger } from '../logger.ts';
import type { MakeCompanion } from '../stream/open_session.ts';
import type { Publication, SessionCompanion, SessionEnd } from '../stream/session_companion.ts';
import { Relay } from './relay.ts';
import type { RelayNetwork } from './relay_connection.ts';
import type { RelayCounters } from './relay_counters.ts';
import type { RelayFailure } from './relay_error.ts';
import { RelayFeed } from './relay_feed.ts';
import { planRelays } from './relay_plan.ts';
import type { PlannedRelay } from './relay_plan.ts';
import type { RelayServices } from './relay_services.ts';
import { RelayTranscoder } from './relay_transcoder.ts';
import type { RelayTranscoderOptions } from './relay_transcoder.ts';

export interface RelayDependencies extends RelayNetwork {
  readonly services: RelayServices;
  readonly counters: RelayCounters;
  readonly control: Pick<Control, 'notify'>;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly transcode: Pick<RelayTranscoderOptions, 'ffmpeg' | 'settings'>;
}

interface RelayedSession {
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  readonly epoch: () => Epoch;
}

/** A publisher that stays away for longer finds its targets told goodbye, ms. */
const HOLD_MS = 30_000;

/** For the list of what runs beside each session. */
export function relayCompanion(dependencies: RelayDependencies): MakeCompanion {
  return (session, logger) => new SessionRelays(session, dependencies, logger);
}

export class SessionRelays implements SessionCompanion {
  readonly name = 'relays';
  readonly #session: RelayedSession;
  readonly #dependencies: RelayDependencies;
  readonly #logger: Logger;
  /** The source as it is, and what was made of it. */
  readonly #feeds: { readonly copy: RelayFeed; readonly transcode: RelayFeed };
  #transcoder: RelayTranscoder | undefined;
  readonly #relays = new Map<string, Relay>();
  #cancelHold: (() => void) | undefined;
  readonly #leaving = new Set<Promise<void>>();

  constructor(session: RelayedSession, dependencies: RelayDependencies, logger: Logger) {
    this.#session = session;
    this.#dependencies = dependencies;
    this.#logger = logger;
    const makeFeed = () => new RelayFeed(() => dependencies.clock.monotonicMs());
    this.#feeds = { copy: makeFeed(), transcode: makeFeed() };
  }

  publisherArrived(publication: Publication): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    this.#feeds.copy.restart();
    this.#transcoder?.restart();
    const plan = planRelays(publication, this.#dependencies.services);
    for (const { name, reason } of plan.refused) this.#refused(name, reason);
    const wanted = new Map(plan.relays.map((planned) => [planned.name, planned]));
    for (const [name, relay] of this.#relays) {
      const planned = wanted.get(name);
      if (planned?.mode === relay.planned.mode && planned.endpoint.equals(relay.planned.endpoint)) relay.resume();
      else {
        this.#relays.delete(name);
        this.#leave(relay.end());
      }
    }
    for (const planned of plan.relays) if (!this.#relays.has(planned.name)) this.#begin(planned);
    this.#provideTranscoder();
  }

  media(tag: MediaTag): void {
    if (this.#relays.size === 0) return;
    this.#feeds.copy.push(tag);
    this.#transcoder?.push(tag);
  }

  publisherLeft(): void {
    this.#transcoder?.restart();
    for (const relay of this.#relays.values()) relay.idle();
    this.#cancelHold?.();
    this.#cancelHold = this.#dependencies.clock.after(HOLD_MS, () => {
      for (const relay of this.#relays.values()) this.#leave(relay.rest());
    });
  }

  async ended(_how: SessionEnd): Promise<void> {
    this.#cancelHold?.();
    this.#transcoder?.end();
    for (const relay of this.#relays.values()) this.#leave(relay.end());
    this.#relays.clear();
    await Promise.all(this.#leaving);
  }

  #begin(planned: PlannedRelay): void {
    const { allowPrivate, resolve, ca, counters, clock, random } = this.#dependencies;
    const relay = new Relay({
      planned,
      feed: this.#feeds[planned.mode],
      network: { allowPrivate, resolve, ca },
      counters,
      clock,
      random,
      logger: this.#logger,
      onFailing: (name, failure) => this.#failing(name, failure),
    });
    this.#relays.set(planned.name, relay);
  }

  /** One FFmpeg for all relays that want it, none without them. */
  #provideTranscoder(): void {
    const isWanted = [...this.#relays.values()].some(({ planned }) => planned.mode === 'transcode');
    if (!isWanted) {
      this.#transcoder?.end();
      this.#transcoder = undefined;
      return;
    }
    const { transcode, clock, random } = this.#dependencies;
    this.#transcoder ??= new RelayTranscoder({
      ...transcode,
      feed: this.#feeds.transcode,
      clock,
      random,
      logger: this.#logger,
      onFailing: (failure) => this.#transcoderFailing(failure),
    });
  }

  #transcoderFailing(failure: RelayFailure): void {
    this.#dependencies.counters.failures[failure.failureClass] += 1;
    for (const { planned } of this.#relays.values()) {
      if (planned.mode === 'transcode') this.#failing(planned.name, failure);
    }
  }

  #refused(relay: string, reason: string): void {
    this.#dependencies.counters.refused += 1;
    this.#logger.warn({ relay, reason }, 'relay refused');
    this.#notify({ relay, state: 'refused', reason });
  }

  #failing(relay: string, { failureClass, message }: RelayFailure): void {
    this.#notify({ relay, state: 'failing', class: failureClass, reason: message });
  }

  #notify(data: Readonly<Record<string, string>>): void {
    const { streamId, sessionId, epoch } = this.#session;
    const id = `evt_${randomBytes(12).toString('base64url')}`;
    this.#dependencies.control
      .notify({ id, type: 'relay.failed', streamId, sessionId, epoch: epoch(), data: { ...data } })
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'nobody was told of the relay'));
  }

  #leave(leaving: Promise<void>): void {
    const done: Promise<void> = leaving
      .catch((error: unknown) => this.#logger.error({ err: error }, 'a relay could not be ended'))
      .finally(() => this.#leaving.delete(done));
    this.#leaving.add(done);
  }
}
