// Asks for the token when the console answers 401. The token goes into a cookie the console sets (HttpOnly), not into
// any storage of the page.
import {useEffect, useState, type FormEvent} from 'react';
import {Button, Dialog, Heading, Input, Label, Modal, ModalOverlay, TextField} from 'react-aria-components';
import {cache, login, unauthorized} from '../api/fetch';

export function Login() {
  const [open, setOpen] = useState(false);
  const [token, setToken] = useState('');
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const ask = () => setOpen(true);
    unauthorized.addEventListener('unauthorized', ask);
    return () => unauthorized.removeEventListener('unauthorized', ask);
  }, []);
  async function send(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      await login(token.trim());
      setOpen(false);
      setToken('');
      setTrouble('');
      unauthorized.dispatchEvent(new Event('authorized'));
      await cache.invalidateQueries();
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  return (
    <ModalOverlay className="modal-veil" isOpen={open} onOpenChange={setOpen}>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">This console asks for a token</Heading>
          <form className="stack" onSubmit={(event) => void send(event)}>
            <p className="soft">
              It stands in the file named by <code>--token-file</code> where the console was started.
            </p>
            <TextField
              className="field"
              validationBehavior="aria"
              value={token}
              onChange={setToken}
              autoFocus
              type="password"
              isInvalid={trouble !== ''}
            >
              <Label>Token</Label>
              <Input className="input mono" autoComplete="current-password" />
            </TextField>
            <div aria-live="assertive" className="bad">
              {trouble}
            </div>
            <div className="row">
              <Button className="button primary" type="submit" isDisabled={busy || token.trim() === ''}>
                Open the console
              </Button>
            </div>
          </form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
