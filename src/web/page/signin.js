// The sign-in form: with any name where the broker gives out demo tokens, else with a token.

import { demoToken, DemoKeyMissing, DemoTokensUnavailable } from './connection.js';
import { part, showError } from './dom.js';
import { setText } from './text.js';

export class SignIn {
  #root;
  #act;

  /**
   * @param {Element} root the pane
   * @param {{isTaken(name: string): boolean, enter(name: string, token: string): Promise<void>, giveUp(): void, renamed(): void}} act
   */
  constructor(root, name, act) {
    this.#root = root;
    this.#act = act;
    part(root, 'user').value = name;
    part(root, 'user').oninput = () => act.renamed();
    part(root, 'signin').onsubmit = (event) => {
      event.preventDefault();
      this.submit();
    };
  }

  get name() {
    return part(this.#root, 'user').value.trim();
  }

  async submit() {
    const { name } = this;
    const enter = part(this.#root, 'enter');
    if (!name || enter.disabled) return;
    this.#fail(null);
    if (this.#act.isTaken(name)) {
      this.tell('sameName', { name });
      return;
    }
    enter.disabled = true;
    try {
      await this.#act.enter(name, part(this.#root, 'token').value.trim() || (await demoToken(name)));
    } catch (error) {
      this.#act.giveUp();
      if (error instanceof DemoKeyMissing) {
        this.#askForToken();
        this.tell('noDemoKey');
      } else if (error instanceof DemoTokensUnavailable) this.#askForToken();
      else this.#fail(error);
    } finally {
      enter.disabled = false;
    }
  }

  show(is) {
    part(this.#root, 'signin').hidden = !is;
    part(this.#root, 'command').textContent = `tidings token --user ${this.name}`;
  }

  /** Shows why the session ended. */
  tell(key, vars = null) {
    const line = part(this.#root, 'signin-error');
    line.hidden = false;
    setText(line, key, vars);
  }

  #fail(error) {
    showError(part(this.#root, 'signin-error'), error);
  }

  #askForToken() {
    part(this.#root, 'token-field').hidden = false;
    part(this.#root, 'token').required = true;
  }
}
