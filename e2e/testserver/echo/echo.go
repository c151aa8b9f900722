// Package echo is a gRPC service without generated code: what is sent comes
// back. Messages are protobuf's BytesValue; the service description is written
// by hand, which is all that protoc would have added.
package echo

import (
	"context"
	"errors"
	"io"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	serviceName = "devtun.test.Echo"
	sayMethod   = "/" + serviceName + "/Say"
	chatMethod  = "/" + serviceName + "/Chat"

	// HostTrailer, on every answer, is the host that gave it.
	HostTrailer = "echo-host"
	// CountTrailer, at the end of a Chat, is the number of messages echoed.
	CountTrailer = "echo-count"
)

// server is what the handlers below find behind the description.
type server struct {
	host string
}

var chatDesc = grpc.StreamDesc{
	StreamName: "Chat", ServerStreams: true, ClientStreams: true,
	Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*server).chat(stream) },
}

var serviceDesc = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Say",
		Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return srv.(*server).say(ctx, decode)
		},
	}},
	Streams: []grpc.StreamDesc{chatDesc},
}

// Register adds the service to s. host is what HostTrailer says.
func Register(s *grpc.Server, host string) {
	s.RegisterService(&serviceDesc, &server{host})
}

func (s *server) say(ctx context.Context, decode func(any) error) (*wrapperspb.BytesValue, error) {
	message := &wrapperspb.BytesValue{}
	if err := decode(message); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, metadata.Pairs(HostTrailer, s.host)); err != nil {
		return nil, err
	}
	return message, nil
}

func (s *server) chat(stream grpc.ServerStream) error {
	for count := 0; ; count++ {
		message := &wrapperspb.BytesValue{}
		err := stream.RecvMsg(message)
		if errors.Is(err, io.EOF) {
			stream.SetTrailer(metadata.Pairs(HostTrailer, s.host, CountTrailer, strconv.Itoa(count)))
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}

// Say sends a message and returns what came back, and the trailer.
func Say(ctx context.Context, conn grpc.ClientConnInterface, message []byte) ([]byte, metadata.MD, error) {
	var answer wrapperspb.BytesValue
	var trailer metadata.MD
	err := conn.Invoke(ctx, sayMethod, wrapperspb.Bytes(message), &answer, grpc.Trailer(&trailer))
	return answer.GetValue(), trailer, err
}

// Conversation is a Chat as its client sees it. One goroutine may send while
// another receives.
type Conversation struct {
	stream grpc.ClientStream
}

// Chat begins a Conversation, which ends with ctx, or after CloseSend once
// Receive has returned io.EOF.
func Chat(ctx context.Context, conn grpc.ClientConnInterface) (*Conversation, error) {
	stream, err := conn.NewStream(ctx, &chatDesc, chatMethod)
	if err != nil {
		return nil, err
	}
	return &Conversation{stream}, nil
}

// Send sends a message.
func (c *Conversation) Send(message []byte) error {
	return c.stream.SendMsg(wrapperspb.Bytes(message))
}

// Receive returns the next message that comes back.
func (c *Conversation) Receive() ([]byte, error) {
	var message wrapperspb.BytesValue
	err := c.stream.RecvMsg(&message)
	return message.GetValue(), err
}

// CloseSend says that no more will be sent.
func (c *Conversation) CloseSend() error { return c.stream.CloseSend() }

// Trailer is known once Receive has returned io.EOF.
func (c *Conversation) Trailer() metadata.MD { return c.stream.Trailer() }
