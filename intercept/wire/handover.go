package wire

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// maxEnvironment bounds, in bytes, an environment on its way.
const maxEnvironment = 16 << 20

// Files says which files a hand-over brings.
type Files struct {
	// Sum stands for all names and contents. Two hand-overs of the same Sum
	// bring the same.
	Sum string `json:"sum"`
	// Unreadable counts the files that the agent may not read, and First names
	// one of them.
	Unreadable int    `json:"unreadable,omitempty"`
	First      string `json:"first,omitempty"`
}

// Environment asks the agent for its environment: KEY=VALUE, byte for byte,
// without the agent's own settings.
func (l *Link) Environment(ctx context.Context) ([]string, error) {
	stream, err := l.Open(ctx, Opening{Kind: KindEnvironment})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Abort)()
	stream.CloseWrite()
	body, err := io.ReadAll(io.LimitReader(stream, maxEnvironment))
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	var pairs [][]byte // JSON's strings hold no arbitrary bytes
	if err := json.Unmarshal(body, &pairs); err != nil {
		return nil, fmt.Errorf("decode environment: %w", err)
	}
	environment := make([]string, len(pairs))
	for i, pair := range pairs {
		environment[i] = string(pair)
	}
	return environment, nil
}

// SendEnvironment answers a stream of KindEnvironment.
func SendEnvironment(stream *Stream, environment []string) error {
	pairs := make([][]byte, len(environment))
	for i, pair := range environment {
		pairs[i] = []byte(pair)
	}
	if err := json.NewEncoder(stream).Encode(pairs); err != nil {
		return fmt.Errorf("send environment: %w", err)
	}
	return stream.CloseWrite()
}

// ReadFiles waits until the agent's files are unlike those with that sum, and
// gives them to take, as a tar whose names are the absolute paths without the
// leading slash. With an empty sum it does not wait. When it fails, what take
// was given may be incomplete.
//
// The sum outlives the link: asked again with it after a reconnection, the
// agent answers once there is something new.
func (l *Link) ReadFiles(ctx context.Context, unlike string, take func(Files, *tar.Reader) error) error {
	stream, err := l.Open(ctx, Opening{Kind: KindFiles, Unlike: unlike})
	if err != nil {
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Abort)()
	stream.CloseWrite()
	var files Files
	if err := readFrame(stream, &files); err != nil {
		return fmt.Errorf("read files: %w", err)
	}
	if err := take(files, tar.NewReader(stream)); err != nil {
		return err
	}
	// The tar's own end is not the stream's: only that says that all came.
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return fmt.Errorf("read files: %w", err)
	}
	return nil
}

// SendFiles answers a stream of KindFiles, with a tar that write makes. If write
// fails the stream is reset, so that the developer's side does not take a part
// for the whole.
func SendFiles(stream *Stream, files Files, write func(*tar.Writer) error) error {
	if err := writeFrame(stream, "", files); err != nil {
		return fmt.Errorf("send files: %w", err)
	}
	archive := tar.NewWriter(stream)
	err := write(archive)
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		stream.Refuse(err.Error())
		return fmt.Errorf("send files: %w", err)
	}
	return stream.CloseWrite()
}
