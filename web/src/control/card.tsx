import {useId, type ReactNode} from 'react';

export function Card({
  title,
  tools,
  children,
  className = '',
  level = 2,
}: {
  title: ReactNode;
  tools?: ReactNode;
  children: ReactNode;
  className?: string;
  level?: 2 | 3;
}) {
  const id = useId();
  const Heading = level === 2 ? 'h2' : 'h3';
  return (
    <section className={`card ${className}`} aria-labelledby={id}>
      <header>
        <Heading id={id}>{title}</Heading>
        {tools}
      </header>
      {children}
    </section>
  );
}
