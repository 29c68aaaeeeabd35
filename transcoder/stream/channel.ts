/**
 * All sessions of one stream that this transcoder still holds: the running one, and ended ones whose media stays for
 * the grace. Playlists come from the newest, media from the session that has the epoch.
 */
import type { StreamId } from '../../contracts/ids.ts';
import type { StreamView } from '../serve/stream_view.ts';
import type { LiveStream } from './live_stream.ts';

export class Channel implements StreamView {
  readonly streamId: StreamId;
  /** Newest first. */
  readonly #sessions: LiveStream[] = [];

  constructor(streamId: StreamId) {
    this.streamId = streamId;
  }

  get current(): LiveStream | undefined {
    return this.#sessions[0];
  }

  get empty(): boolean {
    return this.#sessions.length === 0;
  }

  get sessions(): readonly LiveStream[] {
    return this.#sessions;
  }

  begin(session: LiveStream): void {
    this.#sessions.unshift(session);
  }

  forget(session: LiveStream): void {
    const index = this.#sessions.indexOf(session);
    if (index >= 0) this.#sessions.splice(index, 1);
  }

  status(): ReturnType<StreamView['status']> {
    return (
      this.current?.status() ?? { streamId: this.streamId, live: false, state: 'ended', renditions: [], recordings: [] }
    );
  }

  multivariant(...args: Parameters<StreamView['multivariant']>): ReturnType<StreamView['multivariant']> {
    return this.current?.view.multivariant(...args) ?? Promise.resolve(undefined);
  }

  mediaPlaylist(...args: Parameters<StreamView['mediaPlaylist']>): ReturnType<StreamView['mediaPlaylist']> {
    return this.current?.view.mediaPlaylist(...args) ?? Promise.resolve({ outcome: 'not-found' });
  }

  init(...args: Parameters<StreamView['init']>): ReturnType<StreamView['init']> {
    return this.#first((session) => session.view.init(...args));
  }

  segment(...args: Parameters<StreamView['segment']>): ReturnType<StreamView['segment']> {
    return this.#first((session) => session.view.segment(...args));
  }

  async part(...args: Parameters<StreamView['part']>): Promise<readonly Buffer[] | undefined> {
    for (const session of this.#sessions) {
      const part = await session.view.part(...args);
      if (part !== undefined) return part;
    }
    return undefined;
  }

  poster(): Buffer | undefined {
    return this.#first((session) => session.view.poster());
  }

  #first<Found>(look: (session: LiveStream) => Found | undefined): Found | undefined {
    for (const session of this.#sessions) {
      const found = look(session);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
